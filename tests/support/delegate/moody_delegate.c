/* A TFLite delegate that takes over float softmaxes and int8 additions, and does what its control file says.
 *
 * The option `control` names the file; it is read anew whenever the delegate is made or run. Its first word:
 *   refuse   it cannot be made, as if there were no device
 *   garble   the same, and its reason is no UTF-8
 *   mute     the same, and its reason stands on stderr alone, as Mesa's does
 *   vanish   the same, and running it fails, as if the device had been unplugged
 *   slow     running it takes half a second longer
 *   hang     running it never ends
 *   abort    running it aborts the process
 *   wrong    it computes the wrong thing
 *   fork     making it leaves a process behind that lives for ten minutes; the file with `.child` behind its name has its id
 *   stall    making it never ends
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

/* As a library does that starts a server of its own; the file appears when it is whole. */
static void leave_process(void) {
  char path[MOST_PATH_BYTES + 16], draft[MOST_PATH_BYTES + 16];
  snprintf(path, sizeof path, "%s.child", control);
  snprintf(draft, sizeof draft, "%s.draft", control);
  pid_t child = fork();
  if (child < 0) return;
  if (child == 0) {
    sleep(600);
    _exit(0);
  }
  FILE* file = fopen(draft, "w");
  if (file == NULL) return;
  fprintf(file, "%d", (int)child);
  fclose(file);
  rename(draft, path);
}

typedef struct {
  int operator;
  int inputs[2];
  int output;
} Step;

typedef struct {
  int count;
  Step steps[];
} Kernel;

static void* kernel_init(TfLiteContext* context, const char* buffer, size_t length) {
  (void)length;
  const TfLiteIntArray* replaced = ((const TfLiteDelegateParams*)buffer)->nodes_to_replace;
  Kernel* kernel = malloc(sizeof *kernel + replaced->size * sizeof(Step));
  kernel->count = replaced->size;
  for (int i = 0; i < replaced->size; i++) {
    TfLiteNode* node;
    TfLiteRegistration* registration;
    context->GetNodeAndRegistration(context, replaced->data[i], &node, &registration);
    int last = node->inputs->size - 1;
    kernel->steps[i] = (Step){registration->builtin_code,
                              {node->inputs->data[0], node->inputs->data[last]},
                              node->outputs->data[0]};
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
  const float* in = from->data;
  float* out = to->data;
  size_t count = from->bytes / sizeof(float);
  float top = sign * in[0], sum = 0;
  for (size_t i = 1; i < count; i++) top = fmaxf(top, sign * in[i]);
  for (size_t i = 0; i < count; i++) sum += out[i] = expf(sign * in[i] - top);
  for (size_t i = 0; i < count; i++) out[i] /= sum;
}

static float real(const TfLiteTensor* tensor, size_t i) {
  return tensor->params.scale * (((const int8_t*)tensor->data)[i] - tensor->params.zero_point);
}

static void add(const TfLiteTensor* one, const TfLiteTensor* other, TfLiteTensor* to, float sign) {
  int8_t* out = to->data;
  for (size_t i = 0; i < to->bytes; i++) {
    float sum = sign * (real(one, i) + real(other, i)) / to->params.scale;
    out[i] = (int8_t)fmaxf(-128, fminf(127, nearbyintf(sum) + to->params.zero_point));
  }
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
    const Step* step = &kernel->steps[i];
    TfLiteTensor *one = &context->tensors[step->inputs[0]], *other = &context->tensors[step->inputs[1]];
    if (step->operator == kTfLiteBuiltinSoftmax) softmax(one, &context->tensors[step->output], sign);
    if (step->operator == kTfLiteBuiltinAdd) add(one, other, &context->tensors[step->output], sign);
  }
  return kTfLiteOk;
}

static bool takes_over(const TfLiteContext* context, const TfLiteNode* node, int operator) {
  const TfLiteTensor* first = &context->tensors[node->inputs->data[0]];
  if (operator == kTfLiteBuiltinSoftmax) return first->type == kTfLiteFloat32;
  if (operator != kTfLiteBuiltinAdd || first->type != kTfLiteInt8) return false;
  /* Neither broadcast nor followed by an activation. */
  bool is_plain = *(const int*)node->builtin_data == 0;
  return is_plain && first->bytes == context->tensors[node->inputs->data[1]].bytes;
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
    if (takes_over(context, node, registration->builtin_code)) {
      claimed->data[claimed->size++] = plan->data[i];
    }
  }
  TfLiteRegistration kernel = {.init = kernel_init, .free = kernel_free, .prepare = kernel_prepare,
                               .invoke = kernel_invoke, .custom_name = "Moody", .version = 1};
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
  if (told_to("mute")) {
    fprintf(stderr, "Couldn't open kernel device\n");
    return NULL;
  }
  if (told_to("garble")) {
    report_error("no device \xff\xfe found");
    return NULL;
  }
  while (told_to("stall")) usleep(SLOW_US);
  if (told_to("fork")) leave_process();
  if (told_to("refuse") || told_to("vanish")) {
    report_error("no device found");
    return NULL;
  }
  TfLiteDelegate* delegate = calloc(1, sizeof *delegate);
  delegate->Prepare = prepare;
  return delegate;
}

void tflite_plugin_destroy_delegate(TfLiteDelegate* delegate) { free(delegate); }
