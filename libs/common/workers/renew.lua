-- ARGV: fence, ms, ms to keep the progress ('' when there is none), done, total, message, eta. Returns 1 when a cancel is asked for.
if not holds(ARGV[1]) then
  return lost()
end
redis.call('PEXPIRE', lease, ARGV[2])
if ARGV[3] ~= '' then
  redis.call('HSET', progress, 'done', ARGV[4], 'total', ARGV[5], 'message', ARGV[6], 'eta', ARGV[7])
  redis.call('PEXPIRE', progress, ARGV[3])
end
return redis.call('HGET', job, 'cancel') == ARGV[1] and 1 or 0
