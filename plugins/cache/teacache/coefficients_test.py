"""coefficients.toml holds the published values: a lost row, a wrong digit or a reversed polynomial is noticed."""

import pathlib
import tomllib

# (model, preset, use_ret_steps): the polynomial, highest power first, from the method's repository.
PUBLISHED = {
    ("wan2.1-t2v-1.3b", "", True): [-5.21862437e4, 9.23041404e3, -5.28275948e2, 1.36987616e1, -4.99875664e-2],
    ("wan2.1-t2v-1.3b", "", False): [2.39676752e3, -1.31110545e3, 2.01331979e2, -8.29855975e0, 1.37887774e-1],
    ("wan2.1-t2v-14b", "", True): [-3.03318725e5, 4.90537029e4, -2.65530556e3, 5.87365115e1, -3.15583525e-1],
    ("wan2.1-t2v-14b", "", False): [-5784.54975374, 5449.50911966, -1811.16591783, 256.27178429, -13.02252404],
    ("wan2.1-i2v-14b", "480p", True): [2.57151496e5, -3.54229917e4, 1.40286849e3, -1.35890334e1, 1.32517977e-1],
    ("wan2.1-i2v-14b", "480p", False): [-3.02331670e2, 2.23948934e2, -5.25463970e1, 5.87348440e0, -2.01973289e-1],
    ("wan2.1-i2v-14b", "720p", True): [8.10705460e3, 2.13393892e3, -3.72934672e2, 1.66203073e1, -4.17769401e-2],
    ("wan2.1-i2v-14b", "720p", False): [-114.36346466, 65.26524496, -18.82220707, 4.91518089, -0.23412683],
    ("hunyuanvideo", "", False): [7.33226126e2, -4.01131952e2, 6.75869174e1, -3.14987800e0, 9.61237896e-2],
    ("mochi", "", False): [-3.51241319e3, 8.11675948e2, -6.09400215e1, 2.42429681e0, 3.05291719e-3],
    ("ltx-video-0.9.1", "", False): [2.14700694e1, -1.28016453e1, 2.31279151e0, 7.92487521e-1, 9.69274326e-3],
    ("cogvideox-2b", "", False): [-3.10658903e1, 2.54732368e1, -5.92380459e0, 1.75769064e0, -3.61568434e-3],
    ("cogvideox-5b", "", False): [-1.53880483e3, 8.43202495e2, -1.34363087e2, 7.97131516e0, -5.23162339e-2],
    ("cogvideox-5b-i2v", "", False): [-1.53880483e3, 8.43202495e2, -1.34363087e2, 7.97131516e0, -5.23162339e-2],
    ("consisid", "", False): [-1.53880483e3, 8.43202495e2, -1.34363087e2, 7.97131516e0, -5.23162339e-2],
    ("cogvideox1.5-5b", "", False): [2.50210439e2, -1.65061612e2, 3.57804877e1, -7.81551492e-1, 3.58559703e-2],
    ("cogvideox1.5-5b-i2v", "", False): [1.22842302e2, -1.04088754e2, 2.62981677e1, -3.06009921e-1, 3.71213220e-2],
    ("cosmos", "", False): [2.71156237e2, -9.19775607e1, 2.24437250e0, 2.08355751e0, 1.41776330e-1],
    ("flux", "", False): [4.98651651e2, -2.83781631e2, 5.58554382e1, -3.82021401e0, 2.64230861e-1],
    ("tangoflux", "", False): [4.98651651e2, -2.83781631e2, 5.58554382e1, -3.82021401e0, 2.64230861e-1],
    ("open-sora-1.2", "", False): [2.17546007e2, -1.18329252e2, 2.68662585e1, -4.59364272e-2, 4.84426240e-2],
    ("open-sora-plan", "", False): [2.05943668e5, -1.48759286e4, 3.06085986e2, 1.31418080e0, 2.39658469e-3],
    ("latte", "", False): [-2.46434137e3, 3.08044764e2, 8.07447667e1, -4.11385132e0, 1.11001402e-1],
    ("lumina-next", "", False): [393.76566581, -603.50993606, 209.10239044, -23.00726601, 0.86377344],
    ("lumina2", "v1", False): [393.76566581, -603.50993606, 209.10239044, -23.00726601, 0.86377344],
    ("lumina2", "v2", False): [225.7042019806413, -608.8453716535591, 304.1869942338369, 124.21267720116742, -1.4089066892956552],
    ("hidream-i1", "", False): [-3.13605009e4, -7.12425503e2, 4.91363285e1, 8.26515490e0, 1.08053901e-1],
}
# Signals that depend on the time alone, so that the schedule is known beforehand; the other rows watch the first
# block's input.
BY_TIME = ("wan", "cogvideox", "consisid")


def main():
    file = pathlib.Path(__file__).with_name("coefficients.toml")
    rows = {(row["model"], row.get("preset", ""), row["use_ret_steps"]): row
            for row in tomllib.loads(file.read_text())["model"]}
    for key, polynomial in PUBLISHED.items():
        row = rows[key]
        assert row["coefficients"] == polynomial, f"{key}: {row['coefficients']}, published {polynomial}"
        by_time = "time.proj" if key[2] else "time.embed"
        signal = by_time if key[0].startswith(BY_TIME) else "block.0.modulated"
        assert row["signal"] == signal, f"{key}: {row['signal']}, not {signal}"
    print(f"{len(PUBLISHED)} published rows are there, of {len(rows)}")


if __name__ == "__main__":
    main()
