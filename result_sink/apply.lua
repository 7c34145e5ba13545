-- Applies one batch of one partition's records exactly once, or moves the partition's offset.
--
-- ARGV[1] is the batch as JSON (result_sink.batch writes it), ARGV[2...] the records' own bytes. Nothing is written
-- before everything is read and checked, because Redis does not roll back. All keys are on one primary: no Cluster.
--
-- Answers {"applied", next offset, applied, duplicates}, or {"refused", stored offset}, where nothing was written.

local OFFSETS, TOTALS, COMPLETE_SINCE = KEYS[1], KEYS[2], KEYS[3]
local batch = cjson.decode(ARGV[1])
local stored = redis.call('HGET', OFFSETS, batch.partition)

-- Start, jump or restart: only if nobody moved the offset since the sink looked.
if batch.move then
  if (stored or '') ~= batch.believed then
    return {'refused', stored or ''}
  end
  redis.call('HSET', OFFSETS, batch.partition, batch.next)
  if batch.lost then redis.call('HINCRBY', TOTALS, 'lost', batch.lost) end
  if batch.since then redis.call('HSET', COMPLETE_SINCE, batch.partition, batch.since) end
  return {'applied', batch.next, 0, 0}
end

-- Redis knows less than the sink believes: it was emptied or set back, and the records between would be lost.
if not stored or tonumber(stored) < tonumber(batch.believed) then
  return {'refused', stored or ''}
end
-- Another sink was faster, or the answer to this very batch got lost.
if tonumber(stored) >= tonumber(batch.next) then
  return {'applied', stored, 0, 0}
end

---------------------------------------------------------------------------------------------------- read and check

local NEEDED = {
  prediction = {'result', 'image_id', 'seen', 'bit', 'shown', 'counters', 'fields', 'done_at', 'expire_at'},
  feedback = {'result', 'feedback', 'label', 'expire_at'},
  malformed = {},
}
local states, labels, seen = {}, {}, {}         -- what Redis holds, and what this batch will have made of it
local sums, writes = {}, {}                     -- counter set -> field -> change; what to write for each record
local absorbed, malformed = 0, 0

local function state(key)
  if not states[key] then
    local found = redis.call('HMGET', key, 'shown', 'counters')
    states[key] = {shown = found[1], counters = found[2]}
  end
  return states[key]
end

local function label_of(key)
  if labels[key] == nil then labels[key] = redis.call('HGET', key, 'label') end
  return labels[key]
end

local function is_seen(key, bit)
  if not seen[key] then seen[key] = {} end
  if seen[key][bit] == nil then seen[key][bit] = redis.call('GETBIT', key, bit) == 1 end
  return seen[key][bit]
end

local function count(counters, field, by)
  local fields = sums[counters]
  if not fields then
    fields = {}
    sums[counters] = fields
  end
  fields[field] = (fields[field] or 0) + by
end

local function count_feedback(result, label, by)
  if result.shown and result.shown ~= 'failed' then
    count(result.counters, 'feedback:' .. result.shown .. ':' .. label, by)
  end
end

local function plan_prediction(record)
  local known, again = state(record.result), is_seen(record.seen, record.bit)
  seen[record.seen][record.bit] = true
  local moves = not again and known.shown == 'failed' and record.shown ~= 'failed'
  if again or (known.shown and not moves) then
    absorbed = absorbed + 1
    return not again and {mark = true} or nil
  end
  if moves then count(known.counters, 'failed', -1) end
  known.shown, known.counters = record.shown, record.counters
  for field, by in pairs(record.fields) do count(record.counters, field, by) end
  local label = record.feedback and label_of(record.feedback)
  if label then count_feedback(known, label, 1) end
  return {mark = true, result = true}
end

local function plan_feedback(record)
  local result, before = state(record.result), label_of(record.feedback)
  if before then count_feedback(result, before, -1) end
  count_feedback(result, record.label, 1)
  labels[record.feedback] = record.label
  return {feedback = true}
end

for index, record in ipairs(batch.records) do
  local needed = NEEDED[record.kind]
  assert(needed and type(record.offset) == 'number' and ARGV[index + 1], 'record ' .. index .. ' is malformed')
  for _, name in ipairs(needed) do
    assert(record[name] ~= nil, 'record ' .. index .. ' has no ' .. name)
  end
  if record.offset >= tonumber(stored) then
    if record.kind == 'prediction' then
      writes[index] = plan_prediction(record)
    elseif record.kind == 'feedback' then
      writes[index] = plan_feedback(record)
    else
      malformed = malformed + 1
    end
  end
end

-- A counter set is text, "<expiry, s> <key>" line by line: the same sets serve many records.
local changes, expiries, indexes = {}, {}, {}
for counters, fields in pairs(sums) do
  for expire_at, key in string.gmatch(counters, '(%d+) (%S+)') do
    if not changes[key] then
      redis.call('HLEN', key)                   -- raises where the key is no hash, before the first write
      changes[key] = {}
    end
    expiries[key] = math.max(expiries[key] or 0, tonumber(expire_at))
    for field, by in pairs(fields) do changes[key][field] = (changes[key][field] or 0) + by end
  end
end
for index, record in ipairs(batch.records) do
  if writes[index] and writes[index].result then
    for _, view in ipairs(record.views) do
      if not indexes[view.key] then
        redis.call('ZCARD', view.key)
        indexes[view.key] = {newest = 0}
      end
      indexes[view.key].newest = math.max(indexes[view.key].newest, view.score)
      expiries[view.key] = math.max(expiries[view.key] or 0, record.expire_at)
    end
  end
  if writes[index] and writes[index].mark then
    expiries[record.seen] = math.max(expiries[record.seen] or 0, record.expire_at)
  end
end
redis.call('HLEN', TOTALS)

------------------------------------------------------------------------------------------------------------- write

local function integer(number) return string.format('%.0f', number) end

local applied = 0
for index, record in ipairs(batch.records) do
  local write = writes[index]
  if write then
    if write.mark then redis.call('SETBIT', record.seen, record.bit, 1) end
    if write.result then
      applied = applied + 1
      redis.call('HSET', record.result, 'prediction', ARGV[index + 1], 'done_at', integer(record.done_at),
        'shown', record.shown, 'counters', record.counters)
      redis.call('EXPIREAT', record.result, integer(record.expire_at))
      for _, view in ipairs(record.views) do
        redis.call('ZADD', view.key, 'GT', integer(view.score), view.member)
      end
      if record.channel then redis.call('PUBLISH', record.channel, record.image_id) end
    elseif write.feedback then
      applied = applied + 1
      redis.call('HSET', record.feedback, 'label', record.label, 'feedback', ARGV[index + 1])
      redis.call('EXPIREAT', record.feedback, integer(record.expire_at))
    end
  end
end
for key, fields in pairs(changes) do
  for field, by in pairs(fields) do
    if by ~= 0 and redis.call('HINCRBY', key, field, integer(by)) == 0 then redis.call('HDEL', key, field) end
  end
end
for key, index in pairs(indexes) do
  redis.call('ZREMRANGEBYSCORE', key, '-inf', '(' .. integer(index.newest - batch.retention_ms))
end
for key, expire_at in pairs(expiries) do
  if redis.call('EXPIRETIME', key) < expire_at then redis.call('EXPIREAT', key, integer(expire_at)) end
end
if absorbed > 0 then redis.call('HINCRBY', TOTALS, 'duplicates', absorbed) end
if malformed > 0 then redis.call('HINCRBY', TOTALS, 'malformed', malformed) end
redis.call('HSET', OFFSETS, batch.partition, batch.next)
return {'applied', batch.next, applied, absorbed}
