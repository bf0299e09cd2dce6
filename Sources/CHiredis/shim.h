#include <hiredis/hiredis.h>

// Swift cannot call variadic functions.
static inline redisReply *CHiredis_Command(
    redisContext *context, int count, const char **words, const size_t *sizes) {
  return (redisReply *)redisCommandArgv(context, count, words, sizes);
}
