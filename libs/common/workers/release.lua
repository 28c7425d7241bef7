-- ARGV: fence.
if holds(ARGV[1]) then
  redis.call('DEL', lease)
end
return 1
