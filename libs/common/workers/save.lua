-- ARGV: fence, checkpoint.
if not latest(ARGV[1]) then
  return lost()
end
redis.call('HSET', job, 'checkpoint', ARGV[2])
return 1
