/* What lies with the program: in the build folder, or where it was installed together with it. What
 * another installation or build has is not looked at. */
#ifndef BASE_PLACE_H
#define BASE_PLACE_H

#include <stdbool.h>
#include <stddef.h>

/* Whether the running program lies in the folder that it was built in. */
bool base_in_build_folder(void);

/* "FOLDER/relative", where FOLDER is the one that the running program lies in. False when the
 * system does not say which, or the room is too small. */
bool base_beside_program(const char *relative, char *path, size_t room);

#endif
