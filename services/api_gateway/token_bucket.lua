-- Token bucket. One script, because a read and a write from two gateways would both see the last token.
-- Time is Redis's own: the gateways' clocks differ, and a bucket filled by a fast clock would starve behind a slow one.
-- KEYS[1] bucket; ARGV: tokens per second, burst.
-- Returns {allowed 0|1, tokens left, ms until one token, ms until full}.
local rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens, at = tonumber(bucket[1]) or burst, tonumber(bucket[2]) or now
tokens = math.min(burst, tokens + math.max(0, now - at) * rate / 1000)

local allowed = 0
if tokens >= 1 then
  allowed, tokens = 1, tokens - 1
end
local until_one = math.max(0, math.ceil((1 - tokens) / rate * 1000))
local until_full = math.ceil((burst - tokens) / rate * 1000)
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', now)
-- A full bucket and a missing one are the same bucket.
redis.call('PEXPIRE', KEYS[1], until_full + 1000)
return {allowed, math.floor(tokens), until_one, until_full}
