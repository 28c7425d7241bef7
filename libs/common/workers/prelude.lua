-- Stands before every other script. KEYS[1] is the job's key, airis:worker:{job}; the others are made from it and share its slot:
--
--   airis:worker:{job}            hash. fence: the latest token; slot, done, outcome, finished: the last run that ended;
--                                 checkpoint: what an unfinished one left; cancel: the token of the run to be ended
--   airis:worker:{job}:lease      "<fence> <holder>", while somebody holds it
--   airis:worker:{job}:progress   hash with an expiry. done, total, message, eta
local job, lease, progress = KEYS[1], KEYS[1] .. ':lease', KEYS[1] .. ':progress'

-- Lua prints large numbers with an exponent; Redis wants digits.
local function int(number)
  return string.format('%.0f', number)
end

local function holder()
  local held = redis.call('GET', lease)
  if not held then
    return nil
  end
  return string.match(held, '^(%d+) (.*)$')
end

local function holds(fence)
  return holder() == fence
end

-- Nobody has taken over since, though the lease itself may have run out.
local function latest(fence)
  local known = redis.call('HGET', job, 'fence')
  return not known or known == fence
end

local function lost()
  return redis.error_reply('LEASELOST somebody else may hold the lease')
end

local function result(fields)
  local answer = redis.call('HMGET', job, unpack(fields))
  for i = 1, #fields do
    answer[i] = answer[i] or ''
  end
  return answer
end
