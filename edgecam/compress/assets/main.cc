// Runs the network of model_data.cc in TFLite Micro. Made by edgecam @version.
//
// As it is, the program runs the network on a made picture and tells whether it says what it said where this file was
// made: class @expected. Put your camera's picture into FillInput instead.

#include <cstddef>
#include <cstdint>

#include "model_data.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_log.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/micro/system_setup.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace {

// Measured with plain kernels on a 64-bit machine: @used_bytes bytes. Optimised kernels may want more, others less:
// the program tells what it used.
constexpr std::size_t kArenaBytes = @arena_bytes;
alignas(16) std::uint8_t arena[kArenaBytes];

using Resolver = tflite::MicroMutableOpResolver<@operator_count>;

// Exactly the operators of this network.
TfLiteStatus AddOperators(Resolver& resolver) {
@operators
  return kTfLiteOk;
}

// One byte for each pixel's colour, row by row; kInputTable makes the tensor's number of a colour of 0..255.
void FillInput(std::int8_t* input) {
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < kWidth; ++x) {
      for (int channel = 0; channel < kChannels; ++channel) {
        const int c = kColourOfChannel[channel];  // 0: red, 1: green, 2: blue
        const int value = ((x * (c + 1) * 7 + y * (3 - c) * 5) ^ (x * y / 16)) & 255;
        *input++ = kInputTable[channel][value];
      }
    }
  }
}

int BestClass(const std::int8_t* scores) {
  int best = 0;
  for (int i = 1; i < kClasses; ++i) {
    if (scores[i] > scores[best]) best = i;
  }
  return best;
}

}  // namespace

int main() {
  tflite::InitializeTarget();
  const tflite::Model* model = tflite::GetModel(kModelData);
  if (model->version() != TFLITE_SCHEMA_VERSION) {
    MicroPrintf("the model has schema version %d, this TFLite Micro reads %d", static_cast<int>(model->version()),
                TFLITE_SCHEMA_VERSION);
    return 1;
  }
  static Resolver resolver;
  if (AddOperators(resolver) != kTfLiteOk) {
    MicroPrintf("this TFLite Micro lacks an operator");
    return 1;
  }
  static tflite::MicroInterpreter interpreter(model, resolver, arena, kArenaBytes);
  if (interpreter.AllocateTensors() != kTfLiteOk) {
    MicroPrintf("kArenaBytes is too small for these kernels: %d", static_cast<int>(kArenaBytes));
    return 1;
  }
  TfLiteTensor* input = interpreter.input(0);
  TfLiteTensor* output = interpreter.output(0);
  if (input->type != kTfLiteInt8 || output->type != kTfLiteInt8 ||
      input->bytes != static_cast<std::size_t>(kHeight * kWidth * kChannels) ||
      output->bytes != static_cast<std::size_t>(kClasses)) {
    MicroPrintf("the tensors are not those that model_data.h describes");
    return 1;
  }
  FillInput(input->data.int8);
  if (interpreter.Invoke() != kTfLiteOk) {
    MicroPrintf("the network failed");
    return 1;
  }
  const int best = BestClass(output->data.int8);
  MicroPrintf("class %d (%s), arena used: %d bytes", best, kLabels[best],
              static_cast<int>(interpreter.arena_used_bytes()));
  if (best != kExpectedClass) {
    MicroPrintf("expected class %d (%s)", kExpectedClass, kLabels[kExpectedClass]);
    return 1;
  }
  return 0;
}
