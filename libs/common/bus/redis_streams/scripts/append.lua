-- Append a batch to a partition, once: a repeated batch gets the offset of the first time.
-- ARGV: partition, sender id, sequence, most bytes the topic may hold, ms to remember the sender, then m, v of each record.
-- Returns the first offset. Errors: NOTOPIC, NOPARTITION, STALE (an older batch than the last one), FULL.
local p, sender, sequence = ARGV[1], ARGV[2], tonumber(ARGV[3])
local stream = topic .. '/' .. p
local last = redis.call('GET', stream .. '/sender/' .. sender)
if last then
  local seen, offset = string.match(last, '(%d+) (%d+)')
  if tonumber(seen) == sequence then
    return tonumber(offset)
  elseif tonumber(seen) > sequence then
    return redis.error_reply('STALE batch, a later one of this sender is written')
  end
end

local about = redis.call('HMGET', topic, 'partitions', 'held', 'segment_bytes', 'next:' .. p, 'tail:' .. p, 'cut:' .. p)
if not about[1] then
  return redis.error_reply('NOTOPIC topic is not declared')
elseif tonumber(p) >= tonumber(about[1]) then
  return redis.error_reply('NOPARTITION topic has ' .. about[1])
end

local size = 0
for i = 6, #ARGV do
  size = size + #ARGV[i]
end
local limit = tonumber(ARGV[4])
if tonumber(about[2] or 0) + size > limit then
  local now = unix_ms()
  for q = 0, tonumber(about[1]) - 1 do
    trim(q, now)
  end
  if tonumber(redis.call('HGET', topic, 'held') or 0) + size > limit then
    return redis.error_reply('FULL backlog')
  end
end

local base, tail = tonumber(about[4] or 0), tonumber(about[5] or 0) + size
local next_offset = base
for i = 6, #ARGV, 2 do
  next_offset = next_offset + 1
  redis.call('XADD', stream, '0-' .. int(next_offset), 'm', ARGV[i], 'v', ARGV[i + 1])
end
redis.call('HSET', topic, 'next:' .. p, int(next_offset), 'tail:' .. p, int(tail))
redis.call('HINCRBY', topic, 'held', int(size))
redis.call('SET', stream .. '/sender/' .. sender, int(sequence) .. ' ' .. int(base), 'PX', ARGV[5])

if tail - tonumber(about[6] or 0) >= tonumber(about[3]) then
  local now = unix_ms()
  local segment = int(next_offset) .. ' ' .. int(tail) .. ' ' .. int(now)
  redis.call('ZADD', stream .. '/segments', int(next_offset), segment)
  redis.call('HSET', topic, 'cut:' .. p, int(tail))
  trim(p, now)
end
return base
