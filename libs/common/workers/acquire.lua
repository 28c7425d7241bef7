-- ARGV: holder, ms. Returns nil when somebody else holds it, else {fence, slot, done, checkpoint}, '' for what is not there.
local fence, who = holder()
if fence and who ~= ARGV[1] then
  return nil
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- Never less than the clock, so that tokens also grow when a Redis comes back without its data.
fence = int(math.max(tonumber(redis.call('HGET', job, 'fence') or 0) + 1, now))
redis.call('HSET', job, 'fence', fence)
redis.call('SET', lease, fence .. ' ' .. ARGV[1], 'PX', ARGV[2])
local left = result({ 'slot', 'done', 'checkpoint' })
return { fence, left[1], left[2], left[3] }
