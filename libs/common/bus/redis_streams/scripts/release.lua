-- Give partitions back, and leave the group. ARGV: group, member, leaving (1 or 0), then partition and epoch of each.
also_when_full()
local group = topic .. ':' .. ARGV[1]
for i = 4, #ARGV, 2 do
  if redis.call('HGET', group, 'epoch:' .. ARGV[i]) == ARGV[i + 1] then
    redis.call('DEL', group .. '/lease/' .. ARGV[i])
  end
end
if ARGV[3] == '1' then
  redis.call('ZREM', group .. '/members', ARGV[2])
end
return redis.status_reply('OK')
