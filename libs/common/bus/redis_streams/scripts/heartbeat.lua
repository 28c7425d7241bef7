-- A member lives on: renew its leases, and take free partitions up to its fair share.
-- ARGV: group, member, ms that the lease lasts, then partition and epoch of each that it holds.
-- Returns {partitions of the topic, fair share, {lost partitions}, {partition, epoch of each one taken}}. Error: NOTOPIC.
also_when_full()
local partitions = partition_count()
if partitions == 0 then
  return redis.error_reply('NOTOPIC topic is not declared')
end
local group, member, lease = topic .. ':' .. ARGV[1], ARGV[2], ARGV[3]
local now = unix_ms()

redis.call('ZREMRANGEBYSCORE', group .. '/members', '-inf', int(now))
redis.call('ZADD', group .. '/members', int(now + tonumber(lease)), member)
redis.call('PEXPIRE', group .. '/members', lease)
local members = redis.call('ZRANGE', group .. '/members', 0, -1)
table.sort(members)
local share = math.floor(partitions / #members)
for rank, name in ipairs(members) do
  if name == member and rank <= partitions % #members then
    share = share + 1
  end
end

local held, lost, taken = 0, {}, {}
for i = 4, #ARGV, 2 do
  local p = ARGV[i]
  if redis.call('HGET', group, 'epoch:' .. p) == ARGV[i + 1] then
    redis.call('SET', group .. '/lease/' .. p, member, 'PX', lease)
    held = held + 1
  else
    lost[#lost + 1] = tonumber(p)
  end
end
for p = 0, partitions - 1 do
  if held >= share then
    break
  end
  if redis.call('SET', group .. '/lease/' .. p, member, 'PX', lease, 'NX') then
    held = held + 1
    redis.call('HSETNX', group, 'epoch:' .. p, int(now))
    taken[#taken + 1] = p
    taken[#taken + 1] = redis.call('HINCRBY', group, 'epoch:' .. p, 1)
  end
end
return { partitions, share, lost, taken }
