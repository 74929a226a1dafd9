/* A TFLite delegate that takes over float softmaxes, and does what its control file says.
 *
 * The option `control` names the file; it is read anew whenever the delegate is made or run. Its first word:
 *   refuse   it cannot be made, as if there were no device
 *   vanish   the same, and running it fails, as if the device had been unplugged
 *   slow     running it takes half a second longer
 *   hang     running it never ends
 *   abort    running it aborts the process
 *   wrong    it computes the wrong thing
 * Anything else, or no file: it works.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tflite_plugin.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SLOW_US = 500000, MOST_PATH_BYTES = 4096 };

static char control[MOST_PATH_BYTES];

static bool told_to(const char* mood) {
  char word[16] = "";
  FILE* file = control[0] ? fopen(control, "r") : NULL;
  if (file == NULL) return false;
  int found = fscanf(file, "%15s", word);
  fclose(file);
  return found == 1 && strcmp(word, mood) == 0;
}

typedef struct {
  int input;
  int output;
} Softmax;

typedef struct {
  int count;
  Softmax nodes[];
} Kernel;

static void* kernel_init(TfLiteContext* context, const char* buffer, size_t length) {
  (void)length;
  const TfLiteIntArray* replaced = ((const TfLiteDelegateParams*)buffer)->nodes_to_replace;
  Kernel* kernel = malloc(sizeof *kernel + replaced->size * sizeof(Softmax));
  kernel->count = replaced->size;
  for (int i = 0; i < replaced->size; i++) {
    TfLiteNode* node;
    TfLiteRegistration* registration;
    context->GetNodeAndRegistration(context, replaced->data[i], &node, &registration);
    kernel->nodes[i] = (Softmax){node->inputs->data[0], node->outputs->data[0]};
  }
  return kernel;
}

static void kernel_free(TfLiteContext* context, void* kernel) {
  (void)context;
  free(kernel);
}

static TfLiteStatus kernel_prepare(TfLiteContext* context, TfLiteNode* node) {
  (void)context;
  (void)node;
  return kTfLiteOk;
}

/* One row is all that a classifier has. */
static void softmax(const TfLiteTensor* from, TfLiteTensor* to, float sign) {
  size_t count = from->bytes / sizeof(float);
  float top = sign * from->data[0], sum = 0;
  for (size_t i = 1; i < count; i++) top = fmaxf(top, sign * from->data[i]);
  for (size_t i = 0; i < count; i++) sum += to->data[i] = expf(sign * from->data[i] - top);
  for (size_t i = 0; i < count; i++) to->data[i] /= sum;
}

static TfLiteStatus kernel_invoke(TfLiteContext* context, TfLiteNode* node) {
  if (told_to("abort")) abort();
  while (told_to("hang")) usleep(SLOW_US);
  if (told_to("slow")) usleep(SLOW_US);
  if (told_to("vanish")) {
    context->ReportError(context, "the device has gone");
    return kTfLiteError;
  }
  float sign = told_to("wrong") ? -1.0f : 1.0f;
  const Kernel* kernel = node->user_data;
  for (int i = 0; i < kernel->count; i++) {
    softmax(&context->tensors[kernel->nodes[i].input], &context->tensors[kernel->nodes[i].output], sign);
  }
  return kTfLiteOk;
}

static TfLiteStatus prepare(TfLiteContext* context, TfLiteDelegate* delegate) {
  TfLiteIntArray* plan;
  if (context->GetExecutionPlan(context, &plan) != kTfLiteOk) return kTfLiteError;
  TfLiteIntArray* claimed = malloc(sizeof(int) * (plan->size + 1));
  claimed->size = 0;
  for (int i = 0; i < plan->size; i++) {
    TfLiteNode* node;
    TfLiteRegistration* registration;
    context->GetNodeAndRegistration(context, plan->data[i], &node, &registration);
    bool is_softmax = registration->builtin_code == kTfLiteBuiltinSoftmax;
    if (is_softmax && context->tensors[node->inputs->data[0]].type == kTfLiteFloat32) {
      claimed->data[claimed->size++] = plan->data[i];
    }
  }
  TfLiteRegistration kernel = {.init = kernel_init, .free = kernel_free, .prepare = kernel_prepare,
                               .invoke = kernel_invoke, .custom_name = "MoodySoftmax", .version = 1};
  TfLiteStatus status =
      context->ReplaceNodeSubsetsWithDelegateKernels(context, kernel, claimed, delegate);
  free(claimed);
  return status;
}

TfLiteDelegate* tflite_plugin_create_delegate(char** keys, char** values, size_t count,
                                              void (*report_error)(const char*)) {
  for (size_t i = 0; i < count; i++) {
    if (strcmp(keys[i], "control") == 0) snprintf(control, sizeof control, "%s", values[i]);
  }
  if (told_to("refuse") || told_to("vanish")) {
    report_error("no device found");
    return NULL;
  }
  TfLiteDelegate* delegate = calloc(1, sizeof *delegate);
  delegate->Prepare = prepare;
  return delegate;
}

void tflite_plugin_destroy_delegate(TfLiteDelegate* delegate) { free(delegate); }
