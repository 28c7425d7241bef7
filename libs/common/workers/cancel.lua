-- Returns 1 when there is a run to end. The request names it by its token, so it never meets a later one.
local fence = holder()
if not fence then
  return 0
end
redis.call('HSET', job, 'cancel', fence)
return 1
