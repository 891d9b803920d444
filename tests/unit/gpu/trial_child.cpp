// A program that is nothing but the child of a trial.

#include "transcoder/gpu/gpu_trial.h"

int main(int argc, char** argv) {
    millrace::gpu::trial_main(argc, argv);
}
