/* A progress bar with ETA on stderr. */
#include "base/progress.h"

#include "base/clock.h"
#include "base/os_file.h"

#include <stdio.h>

/* Work that ends before this needs no bar; a bar is redrawn this often at most. */
static const double APPEARS_AFTER = 2.0, REDRAW_EVERY = 0.1;
enum { BAR_WIDTH = 24 };

void progress_begin(progress *bar, const char *label, double total, bool quiet) {
    *bar = (progress){.label = label ? label : "", .total = total, .started = base_now()};
    bar->drawn = bar->started;
    bar->enabled = !quiet && total > 0 && os_is_terminal(2);
}

static void format_seconds(double seconds, char *text, size_t size) {
    long long whole = seconds > 0 && seconds < 1e9 ? (long long)(seconds + 0.5) : 0;
    if (whole >= 3600) {
        snprintf(text, size, "%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60, whole % 60);
    } else {
        snprintf(text, size, "%lld:%02lld", whole / 60, whole % 60);
    }
}

void progress_update(progress *bar, double done, const char *note) {
    if (!bar->enabled) return;
    double now = base_now();
    double spent = now - bar->started;
    if (spent < APPEARS_AFTER || (bar->visible && now - bar->drawn < REDRAW_EVERY)) return;
    double part = done / bar->total;
    part = part > 0 ? (part < 1 ? part : 1) : 0; /* also when it is not a number */
    char drawing[BAR_WIDTH + 1], remaining[32] = "?";
    int filled = (int)(part * BAR_WIDTH);
    for (int i = 0; i < BAR_WIDTH; i++) drawing[i] = i < filled ? '#' : '.';
    drawing[BAR_WIDTH] = '\0';
    if (part > 0) format_seconds(spent / part - spent, remaining, sizeof remaining);
    fprintf(stderr, "\r\033[K%s [%s] %3d %%  %s left%s%s", bar->label, drawing, (int)(part * 100),
            remaining, note && *note ? "  " : "", note ? note : "");
    fflush(stderr);
    bar->drawn = now;
    bar->visible = true;
}

void progress_end(progress *bar) {
    if (!bar->visible) return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
    bar->visible = false;
}
