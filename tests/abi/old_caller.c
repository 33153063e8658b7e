/* A program that was built with an earlier lull.h (the folder beside this file that is on its
 * include path), linked with the library of today: nothing beyond its struct is written or read,
 * and what it sets is obeyed. */
#include <lull.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FRAMES = 40, GUARD = 64 };

static void expect(int holds, const char *what) {
    if (holds) return;
    fprintf(stderr, "%s\n", what);
    exit(1);
}

int main(int argc, char **argv) {
    lull_error error;
    lull_model *model = NULL;
    lull_vocoder *vocoder = NULL;
    if (argc != 2) return 2;
    if (lull_model_open(argv[1], &model, &error)) goto fail;
    const lull_model_info *info = lull_model_get_info(model);

    /* Bytes behind it that must stay; and exactly its size, for a sanitizer to watch. */
    struct guarded {
        lull_options options;
        unsigned char behind[GUARD];
    } guarded;
    memset(&guarded, 0xa5, sizeof guarded);
    lull_options_init(&guarded.options);
    for (int i = 0; i < GUARD; i++)
        expect(guarded.behind[i] == 0xa5, "lull_options_init wrote beyond the struct");
    lull_options *options = malloc(sizeof *options);
    if (!options) return 1;
    memset(options, 0xa5, sizeof *options);
    lull_options_init(options);
    expect(options->threads == 1 && options->refine == -1, "defaults are not what they were");
    options->steps = 2;
    options->queue_frames = 7;
    options->seed = 3;
    if (lull_vocoder_new(model, options, &vocoder, &error)) goto fail;
    free(options);

    size_t accepted = 0, produced = 0, total = 0;
    float *frames = calloc((size_t)FRAMES * (size_t)info->bands, sizeof *frames), samples[1000];
    if (!frames) return 1;
    for (int i = 0; i < FRAMES * info->bands; i++) frames[i] = -5.0f - 0.1f * (float)(i % 9);
    if (lull_vocoder_push(vocoder, frames, FRAMES, &accepted, &error)) goto fail;
    expect(accepted < FRAMES, "queue_frames was not obeyed");
    for (size_t at = accepted; at < FRAMES; at += accepted) {
        if (lull_vocoder_pull(vocoder, samples, 1000, &produced, &error)) goto fail;
        total += produced;
        if (lull_vocoder_push(vocoder, frames, FRAMES - at, &accepted, &error)) goto fail;
    }
    lull_vocoder_finish(vocoder);
    while (!lull_vocoder_ended(vocoder)) {
        if (lull_vocoder_pull(vocoder, samples, 1000, &produced, &error)) goto fail;
        total += produced;
    }
    expect(total == (size_t)FRAMES * (size_t)info->hop, "the number of samples is not right");
    free(frames);
    lull_vocoder_free(vocoder);
    lull_model_close(model);
    return 0;
fail:
    fprintf(stderr, "%s\n", error.message);
    return 1;
}
