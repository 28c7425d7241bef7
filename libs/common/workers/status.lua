-- Returns {holder, cancelling, slot, done, outcome, finished, {progress fields}}, '' for what is not there.
local fence, who = holder()
local left = result({ 'slot', 'done', 'outcome', 'finished', 'cancel' })
local told = redis.call('HMGET', progress, 'done', 'total', 'message', 'eta')
local how = {}
for i = 1, 4 do
  how[i] = told[i] or ''
end
return { who or '', (fence and left[5] == fence) and 1 or 0, left[1], left[2], left[3], left[4], how }
