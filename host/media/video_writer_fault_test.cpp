// What goes wrong leaves what was there, leaves nothing beside it, and says why.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <csignal>
#include <cstdio>
#include <fastvideo/core.hpp>
#include <thread>

#include "host/media/media_test_support.hpp"
#include "host/media/target.hpp"

namespace fastvideo::host {
namespace {

using namespace media_test;

const VideoFormat kFormat = {160, 120, 12, 16, 1};

template <class Error, class Body>
std::string message_of(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

// A folder with a video.* of an earlier run, and a fake ffmpeg in bin/.
class Faults : public testing::Test {
 protected:
  Faults() {
    fs::create_directory(folder_ / "out");
    fs::create_directory(folder_ / "bin");
  }

  fs::path earlier(const std::string& name) {
    write_text(folder_ / "out" / name, "earlier");
    return folder_ / "out" / name;
  }
  void expect_untouched(const fs::path& path) {
    EXPECT_EQ(read_text(path), "earlier");
    size_t count = 0;
    for (const auto& entry : fs::directory_iterator(path.parent_path())) {
      EXPECT_EQ(entry.path(), path) << "left behind";
      ++count;
    }
    EXPECT_EQ(count, 1U);
  }
  // Makes bin/ffmpeg a shell script; the rest of PATH stays.
  std::string fake_ffmpeg(const std::string& script) {
    write_text(folder_ / "bin" / "ffmpeg", "#!/bin/sh\n" + script + "\n");
    fs::permissions(folder_ / "bin" / "ffmpeg", fs::perms::owner_all);
    return (folder_ / "bin").string() + ":" + std::getenv("PATH");
  }

  // The bytes of a file, or of each file in a folder.
  static std::vector<std::string> contents(const fs::path& path) {
    if (!fs::is_directory(path)) return {read_text(path)};
    std::vector<fs::path> files(fs::directory_iterator(path), {});
    std::sort(files.begin(), files.end());
    std::vector<std::string> all;
    for (const fs::path& file : files) all.push_back(file.filename().string() + read_text(file));
    return all;
  }

  TestFolder folder_;
};

TEST_F(Faults, FfmpegThatFailsAtOnceIsQuoted) {
  const fs::path target = earlier("video.mp4");
  const PathScope path(fake_ffmpeg("echo 'Unknown encoder of doom' >&2; exit 3"));
  const std::string message =
      message_of<std::runtime_error>([&] { write_video(target, kFormat, smooth_frames(kFormat)); });
  EXPECT_EQ(message, "ffmpeg could not write " + target.string() + " (exit code 3): Unknown encoder of doom");
  expect_untouched(target);
}

TEST_F(Faults, FfmpegThatFailsAtTheEndIsQuoted) {
  const fs::path target = earlier("video.webm");
  const PathScope path(fake_ffmpeg("cat >/dev/null; echo 'Error writing trailer' >&2; exit 1"));
  const std::string message =
      message_of<std::runtime_error>([&] { write_video(target, kFormat, smooth_frames(kFormat)); });
  EXPECT_NE(message.find("(exit code 1): Error writing trailer"), std::string::npos) << message;
  expect_untouched(target);
}

TEST_F(Faults, FfmpegThatClaimsSuccessWithoutAFileIsNotBelieved) {
  const fs::path target = earlier("video.gif");
  const PathScope path(fake_ffmpeg("cat >/dev/null"));
  EXPECT_THROW(write_video(target, kFormat, smooth_frames(kFormat)), std::runtime_error);
  expect_untouched(target);
}

TEST_F(Faults, FfmpegThatLeavesSomethingElseThanAFileIsNotBelieved) {
  const fs::path target = earlier("video.mp4");
  // The last argument is the file that it shall write.
  const std::string last = "cat >/dev/null; for last; do :; done; last=${last#file:}; rm -f \"$last\"; ";
  for (const std::string& instead :
       {std::string("mkfifo \"$last\""), std::string("mkdir \"$last\"; touch \"$last/x\""),
        "ln -s " + target.string() + " \"$last\"", std::string(": > \"$last\""), std::string(":")}) {
    const PathScope path(fake_ffmpeg(last + instead));
    const std::string message =
        message_of<std::runtime_error>([&] { write_video(target, kFormat, smooth_frames(kFormat)); });
    EXPECT_NE(message.find("it ended well, but left "), std::string::npos) << message;
    expect_untouched(target);
  }
}

TEST_F(Faults, FfmpegThatFloodsItsOutputIsStopped) {
  const fs::path target = earlier("video.mp4");
  for (const char* script : {"cat >/dev/null; yes >&2", "yes >&2", "cat >/dev/null; yes"}) {
    const PathScope path(fake_ffmpeg(script));
    const std::string message = message_of<std::runtime_error>([&] {
      write_video(target, {1000, 1000, 4, 16, 1}, Bytes(12'000'000));
    });
    EXPECT_NE(message.find("MiB of messages without an end and was stopped"), std::string::npos) << message;
    EXPECT_LT(message.size(), 4000U);
    expect_untouched(target);
  }
}

TEST_F(Faults, AFinishedVideoThatCannotGetItsNameStaysUnderAnother) {
  const fs::path target = folder_ / "out" / "video.y4m";
  const fs::path kept = folder_ / "out" / "video.kept.y4m";
  const auto made_while = [&](const fs::path& path, auto&& meanwhile) {
    const auto writer = make_video_writer(path);
    writer->begin(kFormat);
    writer->write(smooth_frames(kFormat));
    meanwhile();
    return message_of<std::runtime_error>([&] { writer->finish(); });
  };
  for (const char* name : {"video.kept.y4m", "video.kept-2.y4m"}) {
    const std::string message = made_while(target, [&] { fs::create_directory(target); });
    EXPECT_EQ(message, "cannot write " + target.string() + ": Is a directory; all is done and kept as " +
                           (folder_ / "out" / name).string() + ": move it to where it shall be");
    fs::remove(target);
  }
  write_video(target, kFormat, smooth_frames(kFormat));
  EXPECT_EQ(read_text(kept), read_text(target));

  const fs::path frames = folder_ / "out" / "frames";
  const std::string message = made_while(frames, [&] {
    fs::create_directory(frames);
    write_text(frames / "notes.txt", "mine");
  });
  EXPECT_NE(message.find("holds notes.txt"), std::string::npos) << message;
  EXPECT_NE(message.find("kept as " + (folder_ / "out" / "frames.kept").string()), std::string::npos) << message;
  EXPECT_TRUE(fs::exists(folder_ / "out" / "frames.kept" / "frame_00011.png"));
  EXPECT_EQ(read_text(frames / "notes.txt"), "mine");
}

TEST_F(Faults, FfmpegThatIsKilledIsNoticed) {
  const fs::path target = earlier("video.mp4");
  const PathScope path(fake_ffmpeg("head -c 1000 >/dev/null; kill -9 $$"));
  const std::string message =
      message_of<std::runtime_error>([&] { write_video(target, kFormat, smooth_frames(kFormat)); });
  EXPECT_NE(message.find("killed by signal 9"), std::string::npos) << message;
  expect_untouched(target);
}

TEST_F(Faults, AHangingFfmpegCanBeCancelled) {
  const fs::path target = earlier("video.mp4");
  const PathScope path(fake_ffmpeg("sleep 1000"));
  CancelToken cancel;
  std::thread canceller([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    cancel.request();
  });
  EXPECT_THROW(write_video(target, {1000, 1000, 4, 16, 1}, Bytes(12'000'000), {{}, &cancel}), CancelledError);
  canceller.join();
  expect_untouched(target);
}

TEST_F(Faults, EveryFormatSurvivesACancelMidWay) {
  for (const char* name : {"video.mp4", "video.webm", "video.gif", "video.y4m", "frames/frame_00000.png"}) {
    fs::create_directory(folder_ / "out");
    fs::create_directory(folder_ / "out" / "frames");
    const bool folder = std::string(name).starts_with("frames");
    if (!folder) fs::remove(folder_ / "out" / "frames");
    const fs::path target = earlier(name);
    CancelToken cancel;
    {
      const auto writer = make_video_writer(folder ? target.parent_path() : target, {{}, &cancel});
      writer->begin(kFormat);
      const Bytes frames = smooth_frames(kFormat);
      writer->write({frames.data(), frames.size() / 12 * 5});
      cancel.request();
      EXPECT_THROW(writer->write({frames.data(), frames.size() / 12}), CancelledError);
      EXPECT_THROW(writer->finish(), std::logic_error);
    }
    expect_untouched(target);
    fs::remove_all(folder_ / "out");
  }
}

TEST_F(Faults, AWriterThatIsDroppedLeavesNothing) {
  const fs::path target = earlier("video.mp4");
  {
    const auto writer = make_video_writer(target);
    writer->begin(kFormat);
  }
  expect_untouched(target);
}

// The limit on the size of a file stands for a full disk: the system call fails in the same place.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    former_signal_ = std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &former_);
    const rlimit small = {bytes, former_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &former_);
    std::signal(SIGXFSZ, former_signal_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit former_{};
  void (*former_signal_)(int);
};

TEST_F(Faults, NoSpaceIsSaidAndLeavesNothing) {
  const fs::path y4m = earlier("video.y4m");
  std::string message = message_of<std::runtime_error>([&] {
    const FileSizeLimit limit(100'000);
    write_video(y4m, kFormat, smooth_frames(kFormat));
  });
  const auto limit_of = [](const std::string& bytes) {
    return "File too large; this process may write files of at most " + bytes +
           " bytes (RLIMIT_FSIZE): raise that with ulimit -f unlimited, or ask for a smaller video";
  };
  EXPECT_EQ(message, "cannot write " + y4m.string() + ": " + limit_of("100000"));
  expect_untouched(y4m);
  fs::remove(y4m);

  fs::create_directory(folder_ / "out" / "frames");
  const fs::path frame = earlier("frames/frame_00000.png");
  message = message_of<std::runtime_error>([&] {
    const FileSizeLimit limit(10'000);
    write_video(frame.parent_path(), kFormat, noisy_frames(kFormat));
  });
  EXPECT_EQ(message, "cannot write " + frame.string() + ": " + limit_of("10000"));
  expect_untouched(frame);
  fs::remove_all(frame.parent_path());

  const fs::path mp4 = earlier("video.mp4");
  message = message_of<std::runtime_error>([&] {
    const FileSizeLimit limit(20'000);
    write_video(mp4, kFormat, noisy_frames(kFormat));
  });
  EXPECT_NE(message.find("; " + limit_of("20000")), std::string::npos) << message;
  expect_untouched(mp4);
}

TEST_F(Faults, AFullDiskIsNeverASuccess) {
  // A disk of 64 KiB that only this process sees.
  if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("tmpfs", (folder_ / "out").c_str(), "tmpfs", 0, "size=64k") != 0) {
    GTEST_SKIP() << "needs the right to mount a small disk";
  }
  const VideoFormat format = {320, 240, 8, 16, 1};
  for (const char* name : {"video.mp4", "video.webm", "video.gif", "video.y4m", "frames/frame_00000.png"}) {
    const bool folder = std::string(name).starts_with("frames");
    if (folder) fs::create_directory(folder_ / "out" / "frames");
    const fs::path target = earlier(name);
    const std::string message = message_of<std::runtime_error>(
        [&] { write_video(folder ? target.parent_path() : target, format, noisy_frames(format)); });
    EXPECT_NE(message.find("No space left on device; the disk of " + target.parent_path().string() + " has "),
              std::string::npos)
        << message;
    EXPECT_NE(message.find(": make room there, or choose another path"), std::string::npos) << message;
    expect_untouched(target);
    fs::remove(target);
  }
  ::umount((folder_ / "out").c_str());
}

TEST_F(Faults, CheckOutputSaysWhatIsMissing) {
  const std::string out = (folder_ / "out").string();
  EXPECT_NO_THROW(check_output(out + "/video.mp4"));
  EXPECT_NO_THROW(check_output(out + "/video.webm"));
  EXPECT_NO_THROW(check_output(out + "/video.gif"));
  EXPECT_NO_THROW(check_output(out + "/frames/"));
  EXPECT_TRUE(fs::is_empty(out));
  EXPECT_EQ(message_of<Refused>([&] { check_output(out + "/nowhere/video.y4m"); }),
            "the folder " + out + "/nowhere does not exist: make it (mkdir -p) or choose another path");
  EXPECT_THROW(check_output(out + "/video.avi"), Refused);
  EXPECT_NE(message_of<Refused>([&] { check_output("-"); }).find("standard output"), std::string::npos);
  EXPECT_NE(message_of<Refused>([&] { check_output(out + "/.y4m"); }).find("give one, video.y4m"), std::string::npos);
  EXPECT_NE(message_of<Refused>([&] { check_output("/dev/null"); }).find("is a device or a pipe"), std::string::npos);

  fs::create_directory(out + "/folder.mp4");
  EXPECT_THROW(check_output(out + "/folder.mp4"), Refused);
  fs::create_directory(out + "/frames");
  write_text(out + "/frames/notes.txt", "mine");
  const std::string message = message_of<Refused>([&] { check_output(out + "/frames"); });
  EXPECT_NE(message.find("holds notes.txt"), std::string::npos) << message;
  EXPECT_THROW(check_output(out + "/frames/notes.txt/"), Refused);
  // The last word is at the end: what appeared there in the meantime is not overwritten either.
  EXPECT_THROW(write_video(out + "/frames", kFormat, smooth_frames(kFormat)), Refused);
  EXPECT_EQ(read_text(out + "/frames/notes.txt"), "mine");
  EXPECT_THROW(check_output("/proc/video.y4m"), Refused);
}

TEST_F(Faults, LinksThatLeadNowhereAreRefused) {
  const std::string out = (folder_ / "out").string();
  fs::create_directory(out + "/real");
  for (const char* name : {"loop.y4m", "loop.mp4", "loop.json", "loop"}) {
    fs::create_symlink(name, out + "/" + name);
    const std::string path = out + "/" + name;
    const bool is_folder = path.ends_with("loop");
    const std::string message = message_of<Refused>(
        [&] { is_folder ? check_folder_target(resolve_target(path + "/")) : check_file_target(resolve_target(path)); });
    EXPECT_EQ(message, path + " is a link that leads back to itself: remove the link, or choose another path");
    EXPECT_TRUE(fs::is_symlink(path));
  }
  EXPECT_THROW(write_video(out + "/loop.y4m", kFormat, smooth_frames(kFormat)), Refused);
  EXPECT_NE(message_of<Refused>([&] {
              check_output(out + "/loop/video.y4m");
            }).find("the folder " + out + "/loop is a link that leads back to itself"),
            std::string::npos);
  fs::create_symlink("gone", out + "/away");
  EXPECT_NE(message_of<Refused>([&] {
              check_output(out + "/away/video.y4m");
            }).find("the folder " + out + "/away is a link to gone, that is " + out + "/gone, which is not there"),
            std::string::npos);
  fs::create_symlink("gone/video.y4m", out + "/far.y4m");
  EXPECT_NE(message_of<Refused>([&] { check_output(out + "/far.y4m"); }).find("is a link to gone/video.y4m, that is "),
            std::string::npos);
  // A place that can be made is where the link leads, as for every program.
  fs::create_symlink("real/video.y4m", out + "/near.y4m");
  write_video(out + "/near.y4m", kFormat, smooth_frames(kFormat));
  EXPECT_TRUE(fs::is_symlink(out + "/near.y4m"));
  EXPECT_TRUE(fs::is_regular_file(out + "/real/video.y4m"));
}

TEST_F(Faults, OfTwoProcessesAtOneOutputEachVideoIsWhole) {
  constexpr int kRounds = 25;
  for (const char* name : {"video.y4m", "frames"}) {
    const fs::path target = folder_ / "out" / name;
    const VideoFormat format = {16, 16, 6, 16, 1};
    const auto frames_of = [&](int writer) { return Bytes(16UL * 16 * 3 * 6, static_cast<uint8_t>(80 * writer)); };
    const auto write_often = [&](int writer) {
      for (int round = 0; round < kRounds; ++round) write_video(target, format, frames_of(writer));
    };
    const pid_t other = ::fork();
    ASSERT_GE(other, 0);
    if (other == 0) {
      try {
        write_often(1);
        ::_exit(0);
      } catch (const std::exception& e) {
        std::fprintf(stderr, "%s\n", e.what());
        ::_exit(1);
      }
    }
    EXPECT_NO_THROW(write_often(2));
    int status = -1;
    ASSERT_EQ(::waitpid(other, &status, 0), other);
    EXPECT_EQ(status, 0);

    // What each would have written alone.
    std::vector<std::vector<std::string>> whole;
    for (const int writer : {1, 2}) {
      const fs::path alone = folder_ / ("alone" + std::to_string(writer)) / name;
      fs::create_directories(alone.parent_path());
      write_video(alone, format, frames_of(writer));
      whole.push_back(contents(alone));
    }
    const std::vector<std::string> there = contents(target);
    EXPECT_TRUE(there == whole[0] || there == whole[1]) << there.size() << " files";
    fs::remove_all(target);
    EXPECT_TRUE(fs::is_empty(folder_ / "out")) << "left behind";
  }
}

TEST_F(Faults, CheckOutputNamesWhatWorksWithoutFfmpeg) {
  const fs::path target = folder_ / "out" / "video.mp4";
  {
    const PathScope path((folder_ / "bin").string());
    const std::string message = message_of<Refused>([&] { check_output(target); });
    EXPECT_NE(message.find("no ffmpeg program on PATH"), std::string::npos) << message;
    EXPECT_NE(message.find(".y4m or a folder of PNG frames"), std::string::npos) << message;
    EXPECT_NO_THROW(check_output(folder_ / "out" / "video.y4m"));
    EXPECT_NO_THROW(check_output(folder_ / "out" / "frames"));
  }
  {
    const PathScope path(fake_ffmpeg("echo ' V....D libvpx-vp9    VP9'"));
    EXPECT_NE(message_of<Refused>([&] { check_output(target); }).find("without the encoder libx264"),
              std::string::npos);
    EXPECT_NO_THROW(check_output(folder_ / "out" / "video.webm"));
  }
  {
    const PathScope path(fake_ffmpeg("echo 'libx264.so: cannot open shared object file' >&2; exit 127"));
    EXPECT_NE(message_of<Refused>([&] { check_output(target); }).find("cannot open shared object"), std::string::npos);
  }
  EXPECT_TRUE(fs::is_empty(folder_ / "out"));
}

TEST_F(Faults, FramesThatDoNotFitAreRefused) {
  const fs::path target = earlier("video.y4m");
  {
    const auto writer = make_video_writer(target);
    EXPECT_THROW(writer->write({}), std::logic_error);
    EXPECT_THROW(writer->begin({0, 10, 1, 16, 1}), std::logic_error);
    writer->begin({4, 4, 2, 16, 1});
    EXPECT_THROW(writer->begin({4, 4, 2, 16, 1}), std::logic_error);
    const Bytes bytes(200);
    EXPECT_THROW(writer->write({bytes.data(), 47}), std::logic_error);
    EXPECT_THROW(writer->write({bytes.data(), 144}), std::logic_error);
    writer->write({bytes.data(), 48});
    EXPECT_THROW(writer->finish(), std::logic_error);
  }
  expect_untouched(target);
}

}  // namespace
}  // namespace fastvideo::host
