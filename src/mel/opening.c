/* The check of a stream's first frames. */
#include "mel/opening.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"

lull_status mel_opening_init(mel_opening *o, const mel_convention *convention, lull_error *error) {
    o->convention = convention;
    o->known = 0;
    o->frames = base_alloc(MEL_OPENING_FRAMES, (size_t)convention->bands * sizeof(float));
    return o->frames ? LULL_OK : base_no_memory(error);
}

lull_status mel_opening_check(mel_opening *o, const float *frames, size_t n, const char *name,
                              lull_error *error) {
    size_t bands = (size_t)o->convention->bands, room = MEL_OPENING_FRAMES - o->known;
    if (room == 0) return LULL_OK;
    if (n > room) n = room;
    memcpy(o->frames + o->known * bands, frames, n * bands * sizeof *frames);
    o->known += n;
    return mel_convention_check_frames(o->convention, o->frames, o->known, name, error);
}

void mel_opening_clear(mel_opening *o) {
    base_free(o->frames);
    o->frames = NULL;
}
