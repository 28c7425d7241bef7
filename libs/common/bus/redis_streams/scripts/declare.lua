-- Make a topic, or bring an existing one in line; partitions only grow, because offsets live in them.
-- ARGV: partitions, the name of its life if this begins one, then field and value of each setting. Returns the partitions.
local partitions = math.max(tonumber(ARGV[1]), partition_count())
redis.call('HSET', topic, 'partitions', int(partitions))
redis.call('HSETNX', topic, 'life', ARGV[2])
for i = 3, #ARGV, 2 do
  redis.call('HSET', topic, ARGV[i], ARGV[i + 1])
end
return partitions
