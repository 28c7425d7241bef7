-- Stands before every other script. KEYS[1] is the topic's key; the others are made from it and share its hash slot:
--
--   airis:bus:{topic}                    hash. life = a name that no other life of the topic has; partitions, groups, retention_ms, retention_bytes, segment_bytes;
--                                        held = bytes kept in all partitions; and for partition p
--                                        start:p, next:p = offsets of the earliest and the next record;
--                                        head:p, tail:p = bytes dropped and written since the beginning; cut:p = tail:p
--                                        at the last segment's end
--   airis:bus:{topic}/p                  stream. Entry 0-(offset+1): m = what codec.py packs, v = value
--   airis:bus:{topic}/p/segments         sorted set of finished segments, "<offset after> <tail after> <unix ms>"
--   airis:bus:{topic}/p/sender/<id>      a producer's last batch, "<sequence> <first offset>"
--   airis:bus:{topic}:group              hash. offset:p, metadata:p, epoch:p
--   airis:bus:{topic}:group/members      sorted set of members by the unix ms until which they count
--   airis:bus:{topic}:group/lease/p      who holds partition p, while it counts
--
-- An epoch grows each time a partition changes hands, so an old owner is told from a new one for ever; the lease only says
-- when a partition may be taken. The first epoch is the time, so that it is a new one after Redis was emptied, too.

local topic = KEYS[1]

-- Lua prints large numbers with an exponent; Redis wants digits.
local function int(number)
  return string.format('%.0f', number)
end

local function unix_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- A full Redis (maxmemory) refuses every command that may need memory, unless the script has written before. Commits and
-- leases must pass, because only they lead to records being dropped; so they write nothing first.
local function also_when_full()
  redis.call('HDEL', topic, '-')
end

local function partition_count()
  return tonumber(redis.call('HGET', topic, 'partitions') or 0)
end

-- Drop whole segments from the front: what all groups have committed, and what retention gives up.
local function trim(p, now)
  local stream = topic .. '/' .. p
  local about = redis.call('HMGET', topic, 'groups', 'retention_ms', 'retention_bytes', 'next:' .. p, 'head:' .. p, 'tail:' .. p)
  local next_offset, head, tail = tonumber(about[4] or 0), tonumber(about[5] or 0), tonumber(about[6] or 0)
  local committed
  for group in string.gmatch(about[1] or '', '%S+') do
    local offset = tonumber(redis.call('HGET', topic .. ':' .. group, 'offset:' .. p) or 0)
    committed = math.min(committed or offset, offset)
  end
  local start, start_bytes
  if committed and committed >= next_offset then
    if tail == head then
      return
    end
    start, start_bytes = next_offset, tail
    redis.call('DEL', stream .. '/segments')
    redis.call('HSET', topic, 'cut:' .. p, int(tail))
  else
    while true do
      local first = redis.call('ZRANGE', stream .. '/segments', 0, 0)[1]
      if not first then
        break
      end
      local offset, bytes, written = string.match(first, '(%d+) (%d+) (%d+)')
      offset, bytes, written = tonumber(offset), tonumber(bytes), tonumber(written)
      if not ((committed and offset <= committed)
          or written < now - tonumber(about[2])
          or tail - bytes >= tonumber(about[3])) then
        break
      end
      redis.call('ZREMRANGEBYRANK', stream .. '/segments', 0, 0)
      start, start_bytes = offset, bytes
    end
  end
  if start then
    redis.call('XTRIM', stream, 'MINID', '0-' .. int(start + 1))
    redis.call('HSET', topic, 'start:' .. p, int(start), 'head:' .. p, int(start_bytes))
    redis.call('HINCRBY', topic, 'held', int(head - start_bytes))
  end
end
