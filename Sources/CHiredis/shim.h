#include <hiredis/hiredis.h>

// Swift does not see functions with any number of arguments.
static inline redisReply *CHiredis_Command(
    redisContext *context, int count, const char **words, const size_t *sizes) {
  return (redisReply *)redisCommandArgv(context, count, words, sizes);
}
