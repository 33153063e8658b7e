/* What a machine of 32 bits says (portable.py). */
#undef SIZE_MAX
#define SIZE_MAX 0xffffffffu
