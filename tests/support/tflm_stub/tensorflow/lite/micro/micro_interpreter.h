// Stands in for TFLite Micro's C++ sources, which no package carries: as much of its interface as a made main.cc
// uses. Invoke writes the input to stdout; the scores say STUB_BEST.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>

enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 };
enum TfLiteType { kTfLiteFloat32 = 1, kTfLiteInt8 = 9 };
#define TF_LITE_ENSURE_STATUS(a)     \
  do {                               \
    const TfLiteStatus s = (a);      \
    if (s != kTfLiteOk) return s;    \
  } while (0)

union TfLitePtrUnion {
  std::int8_t* int8;
};

struct TfLiteTensor {
  TfLiteType type;
  TfLitePtrUnion data;
  std::size_t bytes;
};

namespace tflite {

struct Model;

class MicroOpResolver {
 public:
  virtual ~MicroOpResolver() = default;
  virtual bool IsFull() const = 0;
};

class MicroInterpreter {
 public:
  MicroInterpreter(const Model*, const MicroOpResolver& resolver, std::uint8_t*, std::size_t arena_bytes)
      : resolver_(resolver), arena_bytes_(arena_bytes) {}

  // Exactly the operators, and memory.
  TfLiteStatus AllocateTensors() {
    return resolver_.IsFull() && arena_bytes_ > 0 ? kTfLiteOk : kTfLiteError;
  }

  TfLiteTensor* input(std::size_t) { return &input_; }
  TfLiteTensor* output(std::size_t) { return &output_; }
  std::size_t arena_used_bytes() const { return arena_bytes_; }

  TfLiteStatus Invoke() {
    std::fwrite(in_, 1, STUB_INPUT_BYTES, stdout);
    out_[STUB_BEST] = 1;
    return kTfLiteOk;
  }

 private:
  std::int8_t in_[STUB_INPUT_BYTES] = {};
  std::int8_t out_[STUB_CLASSES] = {};
  TfLiteTensor input_ = {kTfLiteInt8, {in_}, STUB_INPUT_BYTES};
  TfLiteTensor output_ = {kTfLiteInt8, {out_}, STUB_CLASSES};
  const MicroOpResolver& resolver_;
  std::size_t arena_bytes_;
};

}  // namespace tflite
