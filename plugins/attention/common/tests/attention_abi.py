"""An attention backend's library, called through the ABI of sdk/include/fastvideo/attention.h with PyTorch's tensors.

For checks and timings on a machine that has PyTorch and no build of the host: one process holds the backend, its rivals
in PyTorch and the reference. The structs below repeat the headers field by field.
"""

import ctypes as c
import math
import struct as struct_module

import torch

P = c.c_void_p


def struct(name, *fields):
    return type(name, (c.Structure,), {"_fields_": list(fields)})


Text = struct("Text", ("data", c.c_char_p), ("capacity", c.c_uint32), ("reserved0", c.c_uint32))
Device = struct("Device", ("type", c.c_int32), ("index", c.c_int32))
Dtype = struct("Dtype", ("code", c.c_uint8), ("bits", c.c_uint8), ("lanes", c.c_uint16))
Tensor = struct("Tensor", ("data", P), ("device", Device), ("ndim", c.c_int32), ("dtype", Dtype),
                ("shape", c.POINTER(c.c_int64)), ("strides", c.POINTER(c.c_int64)), ("byte_offset", c.c_uint64))
Value = struct("Value", ("type", c.c_uint32), ("count", c.c_uint32), ("payload", c.c_int64))
Entry = struct("Entry", ("name", c.c_char_p), ("value", Value))
GetService = c.CFUNCTYPE(P, P, c.c_char_p)
Services = struct("Services", ("struct_size", c.c_uint32), ("major", c.c_uint16), ("minor", c.c_uint16),
                  ("version", c.c_char_p), ("get", GetService))
Item = struct("Item", ("struct_size", c.c_uint32), ("reserved0", c.c_uint32), ("kind", c.c_char_p),
              ("name", c.c_char_p), ("implementation", c.c_char_p), ("get_interface", c.CFUNCTYPE(P, c.c_char_p)))
Plugin = struct("Plugin", ("struct_size", c.c_uint32), ("major", c.c_uint16), ("minor", c.c_uint16),
                ("id", c.c_char_p), ("version", c.c_char_p), ("item_count", c.c_uint32), ("reserved0", c.c_uint32),
                ("items", c.POINTER(c.POINTER(Item))))
Site = struct("Site", ("struct_size", c.c_uint32), ("masks", c.c_uint32), ("require", c.c_uint64),
              ("role", c.c_char_p), ("device", Device), ("dtype", Dtype), ("head_size", c.c_int32),
              ("query_heads", c.c_int32), ("kv_heads", c.c_int32), ("total_heads", c.c_int32), ("layers", c.c_int32),
              ("batch", c.c_int64), ("query_length", c.c_int64), ("key_length", c.c_int64), ("scale", c.c_double),
              ("grid", c.c_int64 * 3), ("tokens_before", c.c_int64), ("tokens_after", c.c_int64), ("inputs", P),
              ("input_count", c.c_uint32), ("reserved0", c.c_uint32), ("steps", c.c_int32), ("reserved1", c.c_uint32))
Support = struct("Support", ("struct_size", c.c_uint32), ("supported", c.c_uint32), ("numerics", c.c_uint32),
                 ("reserved0", c.c_uint32), ("score", c.c_double), ("reason", Text))
PlanInfo = struct("PlanInfo", ("struct_size", c.c_uint32), ("numerics", c.c_uint32), ("depends", c.c_uint32),
                  ("can_capture", c.c_uint32), ("resident_bytes", c.c_uint64), ("scratch_bytes", c.c_uint64),
                  ("token_order", P), ("token_count", c.c_int64), ("kernel", c.c_char_p))
Args = struct("Args", ("struct_size", c.c_uint32), ("reserved0", c.c_uint32), ("q", P), ("k", P), ("v", P),
              ("out", P), ("mask", P), ("key_lengths", P), ("log_sum_exp", P), ("inputs", P), ("scratch", P),
              ("stream", P), ("step", c.c_int32), ("steps", c.c_int32), ("sigma", c.c_double), ("layer", c.c_int32),
              ("expert", c.c_int32), ("branches", P), ("first_head", c.c_int32), ("reserved1", c.c_int32))
Table = struct("Table", ("struct_size", c.c_uint32), ("reserved0", c.c_uint32),
               ("create", c.CFUNCTYPE(c.c_int32, P, P, c.c_uint32, P, P)), ("destroy", c.CFUNCTYPE(None, P)),
               ("supports", c.CFUNCTYPE(c.c_int32, P, P, P, P)), ("plan", c.CFUNCTYPE(c.c_int32, P, P, P, P, P)),
               ("prepare", c.CFUNCTYPE(c.c_int32, P, P, P, P)), ("run", c.CFUNCTYPE(c.c_int32, P, P, P)),
               ("destroy_plan", c.CFUNCTYPE(None, P)))

DTYPES = {torch.float32: (2, 32), torch.float16: (2, 16), torch.bfloat16: (4, 16), torch.int32: (0, 32),
          torch.bool: (6, 8), torch.float64: (2, 64)}
KEY_LENGTHS = 1 << 2
BOOL, INT, FLOAT, STRING, LIST, TABLE = 1, 2, 3, 4, 5, 6  # of fv_value


class Refused(Exception):
    pass


class Lent:
    """A PyTorch tensor as the ABI's fv_tensor; keeps it alive."""

    def __init__(self, tensor):
        self.tensor = tensor
        n = tensor.dim()
        code, bits = DTYPES[tensor.dtype]
        self.shape = (c.c_int64 * n)(*tensor.shape)
        self.strides = (c.c_int64 * n)(*tensor.stride())
        device = Device(2, tensor.device.index or 0) if tensor.is_cuda else Device(1, 0)
        self.view = Tensor(tensor.data_ptr(), device, n, Dtype(code, bits, 1), self.shape, self.strides, 0)

    def address(self):
        return c.addressof(self.view)


def value(x, kept):
    """A bool, int, float, string, list or dict as fv_value; the memory that it points to is kept in a list, which must
    outlive it."""
    if isinstance(x, bool):
        return Value(BOOL, 0, int(x))
    if isinstance(x, int):
        return Value(INT, 0, x)
    if isinstance(x, float):
        return Value(FLOAT, 0, struct_module.unpack("<q", struct_module.pack("<d", x))[0])
    if isinstance(x, str):
        kept.append(c.c_char_p(x.encode()))
        return Value(STRING, 0, c.cast(kept[-1], P).value)
    kept.append(entries(x, kept) if isinstance(x, dict) else (Value * len(x))(*[value(item, kept) for item in x]))
    return Value(TABLE if isinstance(x, dict) else LIST, len(x), c.addressof(kept[-1]))


def entries(options, kept):
    """An array of fv_entry."""
    return (Entry * len(options))(*[Entry(name.encode(), value(x, kept)) for name, x in options.items()])


def aligned(memory):
    return (memory.data_ptr() + 255) // 256 * 256


def stream_of(tensor):
    return torch.cuda.current_stream().cuda_stream if tensor.is_cuda else None


class Backend:
    """The first item of a plugin library. options: values for value(), by name. layers: of the site's model. grid,
    before, after: of its sites, if they have a grid; then q, k, v and out are in the order of token_order()."""

    def __init__(self, library, layers=1, grid=(0, 0, 0), before=0, after=0, **options):
        self._layers, self._grid, self._before, self._after = layers, grid, before, after
        self._buffer = c.create_string_buffer(4096)
        self._text = Text(c.cast(self._buffer, c.c_char_p), 4096, 0)
        self._no_service = GetService(lambda services, name: None)
        self._services = Services(c.sizeof(Services), 0, 1, b"test", self._no_service)
        entry = c.CDLL(library).fastvideo_plugin
        entry.restype = c.POINTER(Plugin)
        plugin = entry(c.byref(self._services), c.byref(self._text))
        if not plugin:
            raise RuntimeError(self._buffer.value.decode())
        self._table = c.cast(plugin.contents.items[0].contents.get_interface(b"fastvideo.attention/1"),
                             c.POINTER(Table)).contents
        kept = []
        given = entries(options, kept)
        self._backend = P()
        self._check(self._table.create(c.addressof(self._services), c.addressof(given), len(options),
                                       c.addressof(self._backend), c.addressof(self._text)))
        self._plans = {}

    def _check(self, status):
        if status != 0:
            raise (Refused if status == 2 else RuntimeError)(self._buffer.value.decode())

    def plan(self, q, k, scale, key_lengths=False):
        """(plan, its information, scratch memory, resident memory) for calls of this shape; made once."""
        device = Device(2, q.device.index or 0) if q.is_cuda else Device(1, 0)
        key = (tuple(q.shape), tuple(k.shape), q.dtype, scale, key_lengths, device.type)
        if key not in self._plans:
            site = Site(struct_size=c.sizeof(Site), masks=KEY_LENGTHS if key_lengths else 0, role=b"dit.self",
                        device=device, dtype=Dtype(*DTYPES[q.dtype], 1), head_size=q.shape[3],
                        query_heads=q.shape[2], kv_heads=k.shape[2], total_heads=q.shape[2], layers=self._layers,
                        batch=q.shape[0], query_length=q.shape[1], key_length=k.shape[1], scale=scale,
                        grid=(c.c_int64 * 3)(*self._grid), tokens_before=self._before, tokens_after=self._after)
            reason = c.create_string_buffer(1024)
            support = Support(struct_size=c.sizeof(Support), reason=Text(c.cast(reason, c.c_char_p), 1024, 0))
            text = c.addressof(self._text)
            self._check(self._table.supports(self._backend, c.addressof(site), c.addressof(support), text))
            if not support.supported:
                raise Refused(reason.value.decode())
            self.score = support.score  # estimated microseconds of the last site that was planned
            plan, info = P(), PlanInfo(struct_size=c.sizeof(PlanInfo))
            self._check(self._table.plan(self._backend, c.addressof(site), c.addressof(plan), c.addressof(info), text))
            scratch, resident = (torch.empty(n + 256, dtype=torch.uint8, device=q.device)
                                 for n in (info.scratch_bytes, info.resident_bytes))
            if self._table.prepare:
                self._check(self._table.prepare(plan, aligned(resident), stream_of(q), text))
            self._plans[key] = (plan, info, scratch, resident)
        return self._plans[key]

    def __call__(self, q, k, v, out=None, scale=None, key_lengths=None, log_sum_exp=None, step=-1, steps=0, layer=0):
        """q, out [B, Lq, H, D]; k, v [B, Lk, Hkv, D]; on the current stream."""
        scale = 1 / math.sqrt(q.shape[3]) if scale is None else scale
        out = torch.empty_like(q) if out is None else out
        plan, _, scratch, _ = self.plan(q, k, scale, key_lengths is not None)
        lent = {name: Lent(t) for name, t in dict(q=q, k=k, v=v, out=out, key_lengths=key_lengths,
                                                  log_sum_exp=log_sum_exp).items() if t is not None}
        args = Args(struct_size=c.sizeof(Args), step=step, steps=steps, layer=layer, **{name: t.address() for name, t in lent.items()})
        args.scratch, args.stream = aligned(scratch), stream_of(q)
        self._check(self._table.run(plan, c.addressof(args), c.addressof(self._text)))
        return out

    def kernel(self, q, k, key_lengths=False):
        """The kernel that will run for calls of this shape and the usual scale."""
        return self.plan(q, k, 1 / math.sqrt(q.shape[3]), key_lengths)[1].kernel.decode()

    def token_order(self, q, k, key_lengths=False):
        """The raster index of the video token at each position; None: raster order."""
        info = self.plan(q, k, 1 / math.sqrt(q.shape[3]), key_lengths)[1]
        if not info.token_order:
            return None
        return torch.tensor((c.c_int64 * info.token_count).from_address(info.token_order)[:])
