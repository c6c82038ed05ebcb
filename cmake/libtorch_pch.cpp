// The translation unit that owns the precompiled ATen header.
