/* What a run says: see voice.h. */
#include "train/voice.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/printable.h"

void train_say(const train_voice *voice, train_line kind, const char *format, ...) {
    char line[2048], clean[2048];
    if (voice->say == NULL) return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    voice->say(voice->context, kind, base_printable(line, clean, sizeof clean));
}
