-- Read several partitions. ARGV: most bytes of values, then partition and offset of each.
-- Returns for each partition {start, next, m, v, m, v, ...}, the records from the asked offset on. No record comes back when
-- the offset is not between start and next. The bytes are shared among the partitions that have records; once they are spent,
-- the answer ends before the first partition that would have got none.
local result, behind = {}, {}
for i = 2, #ARGV, 2 do
  local p, offset = ARGV[i], tonumber(ARGV[i + 1])
  local bounds = redis.call('HMGET', topic, 'start:' .. p, 'next:' .. p)
  local start, next_offset = tonumber(bounds[1] or 0), tonumber(bounds[2] or 0)
  local answer = { start, next_offset }
  result[#result + 1] = answer
  if start <= offset and offset < next_offset then
    behind[#behind + 1] = { p = p, offset = offset, answer = answer, at = #result }
  end
end

local left = tonumber(ARGV[1])
for i, partition in ipairs(behind) do
  if left <= 0 and i > 1 then
    for n = #result, partition.at, -1 do
      result[n] = nil
    end
    break
  end
  local share, used, offset, chunk = left / (#behind - i + 1), 0, partition.offset, 1
  local full = false
  repeat
    local entries = redis.call('XRANGE', topic .. '/' .. partition.p, '0-' .. int(offset + 1), '+', 'COUNT', chunk)
    for _, entry in ipairs(entries) do
      local m, v = entry[2][2], entry[2][4]
      local size = struct.unpack('>I4', m)
      if used > 0 and used + size > share then
        full = true
        break
      end
      partition.answer[#partition.answer + 1] = m
      partition.answer[#partition.answer + 1] = v
      used = used + size
      offset = offset + 1
      -- As many more as fit if they are like this one.
      chunk = math.max(1, math.min(64, math.floor((share - used) / math.max(size, 1))))
    end
  until full or used >= share or offset >= partition.answer[2] or #entries == 0
  left = left - used
end
return result
