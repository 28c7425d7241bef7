-- ARGV: fence, slot, done (1 or 0), outcome, finished. A run that is not done keeps its checkpoint.
if not latest(ARGV[1]) then
  return lost()
end
redis.call('HSET', job, 'slot', ARGV[2], 'done', ARGV[3], 'outcome', ARGV[4], 'finished', ARGV[5])
redis.call('HDEL', job, 'cancel')
if ARGV[3] == '1' then
  redis.call('HDEL', job, 'checkpoint')
end
return 1
