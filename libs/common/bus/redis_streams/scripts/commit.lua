-- Store positions, all or none, if the partitions are still the caller's; then drop what nobody needs.
-- ARGV: group, then partition, epoch, offset, metadata of each. Error: FENCED.
also_when_full()
local group = topic .. ':' .. ARGV[1]
for i = 2, #ARGV, 4 do
  if redis.call('HGET', group, 'epoch:' .. ARGV[i]) ~= ARGV[i + 1] then
    return redis.error_reply('FENCED ' .. ARGV[i])
  end
end
local now = unix_ms()
for i = 2, #ARGV, 4 do
  local p = ARGV[i]
  redis.call('HSET', group, 'offset:' .. p, ARGV[i + 2], 'metadata:' .. p, ARGV[i + 3])
  trim(p, now)
end
return redis.status_reply('OK')
