// The network, and what its tensors are. Made by edgecam @version.
// Licence of the weights: @licence
// Source: @source
// sha256 of the network: @sha256

#ifndef MODEL_DATA_H_
#define MODEL_DATA_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// A .tflite file of @length bytes.
extern const unsigned char kModelData[];
extern const unsigned int kModelDataBytes;

// The input: int8, kHeight rows of kWidth pixels of kChannels colours.
// real = @input_scale * (value - (@input_zero_point)); pixels are normalised as (pixel - @mean) / @std.
enum { kHeight = @height, kWidth = @width, kChannels = @channels, kClasses = @classes };

// What a colour of 0..255 becomes in the tensor.
extern const int8_t kInputTable[kChannels][256];
// Which colour each channel is: 0 red, 1 green, 2 blue.
extern const int kColourOfChannel[kChannels];

// The output: int8, a score for each class; real = @output_scale * (value - (@output_zero_point)), @output_kind.
extern const char* const kLabels[kClasses];

// What the network says of the made picture in main.cc.
enum { kExpectedClass = @expected };

#ifdef __cplusplus
}
#endif

#endif  // MODEL_DATA_H_
