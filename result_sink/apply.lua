-- Applies one batch of one partition's records exactly once, or moves the partition's offset.
--
-- ARGV[1] is the batch as JSON (result_sink/batch.py writes it), ARGV[2...] are the records' own bytes. All that will
-- change is read and checked before the first write, because Redis does not roll back. The script joins keys of many
-- photographs, so they must be on one primary: no Redis Cluster.
--
-- Answers {"applied", next offset, applied, duplicates, malformed}, or {"refused", stored offset} where nothing was written.

local OFFSETS, TOTALS, COMPLETE_SINCE, CHANGES = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local MOST_CHANGES = 10000
local batch = cjson.decode(ARGV[1])
local stored = redis.call('HGET', OFFSETS, batch.partition)

-- Start, jump or restart: only if nobody moved the offset since the sink looked.
if batch.move then
  if (stored or '') ~= batch.believed then return {'refused', stored or ''} end
  redis.call('HSET', OFFSETS, batch.partition, batch.next)
  if batch.lost then redis.call('HINCRBY', TOTALS, 'lost', batch.lost) end
  if batch.since then redis.call('HSET', COMPLETE_SINCE, batch.partition, batch.since) end
  return {'applied', batch.next, 0, 0, 0}
end

-- Redis knows less than the sink believes: it was emptied or set back, and what lies between would be lost.
if not stored or tonumber(stored) < tonumber(batch.believed) then return {'refused', stored or ''} end
stored = tonumber(stored)
-- Another sink was faster, or the answer to this very batch was lost on its way.
if stored >= tonumber(batch.next) then return {'applied', stored, 0, 0, 0} end

------------------------------------------------------------------------------------------------------------ read

local NEEDED = {
  prediction = {
    'offset', 'image_id', 'result', 'seen', 'bit', 'shown', 'counters', 'fields', 'shadows', 'latency', 'at', 'done_at',
    'views',
  },
  feedback = {'offset', 'result', 'feedback', 'label', 'at'},
  malformed = {'offset'},
}

local records, payloads = {}, {}
for index, record in ipairs(batch.records) do
  for _, name in ipairs(NEEDED[record.kind] or error('record ' .. index .. ' is of no known kind')) do
    if record[name] == nil then error('record ' .. index .. ' has no ' .. name) end
  end
  if not ARGV[index + 1] then error('record ' .. index .. ' has no payload') end
  if record.offset >= stored then
    records[#records + 1] = record
    payloads[#records] = ARGV[index + 1]
  end
end

local function expiry(at) return math.ceil((at + batch.retention_ms) / 1000) end

-- Positions in the images log that were answered before: seen[key][bit].
local seen, bits = {}, {}
for _, record in ipairs(records) do
  if record.kind == 'prediction' then
    local key = batch.seen[record.seen]
    bits[key] = bits[key] or {}
    table.insert(bits[key], record.bit)
  end
end
for key, asked in pairs(bits) do
  local get = {'BITFIELD', key}
  for _, bit in ipairs(asked) do
    get[#get + 1], get[#get + 2], get[#get + 3] = 'GET', 'u1', bit
  end
  seen[key] = {}
  for index, value in ipairs(redis.call(unpack(get))) do seen[key][asked[index]] = value == 1 end
end

-- Results and feedback that exist: one question tells most batches that there are none.
local function any(name)
  local keys = {'EXISTS'}
  for _, record in ipairs(records) do keys[#keys + 1] = record[name] end
  return #keys > 1 and redis.call(unpack(keys)) > 0
end
local some_results, some_feedback = any('result'), any('feedback')
local results, labels = {}, {}

local function result_of(key)
  if not results[key] then
    local found = some_results and redis.call('HMGET', key, 'shown', 'counters', 'shadows') or {}
    results[key] = {shown = found[1], counters = found[2], shadows = found[3] or ''}
  end
  return results[key]
end

local function label_of(key)
  if labels[key] == nil then labels[key] = some_feedback and redis.call('HGET', key, 'label') end
  return labels[key]
end

------------------------------------------------------------------------------------------------------------ plan

-- A counter set is text, "<expiry, s> <key>" line by line; changes[set][field] is what is added to each of its keys.
local changes = {}
local function count(set, fields, by)
  local sums = changes[set]
  if not sums then
    sums = {}
    changes[set] = sums
  end
  for _, field in ipairs(fields) do sums[field] = (sums[field] or 0) + by end
end

local function count_feedback(result, label, by)
  if not result.shown or result.shown == 'failed' then return end
  local fields = {'feedback:' .. result.shown .. ':' .. label}
  for arm, said in string.gmatch(result.shadows, '(%S+) (%S+)') do
    fields[#fields + 1] = string.format('shadow_right:%s:%d:%d', arm,
      result.shown == label and 1 or 0, said == label and 1 or 0)
  end
  count(result.counters, fields, by)
end

-- The first answer wins, by position and by image id; a failure gives way once to an answer from another position.
local function plan_prediction(record)
  local key = batch.seen[record.seen]
  if seen[key][record.bit] then return 'duplicate' end
  seen[key][record.bit] = true
  local known = result_of(record.result)
  if known.shown and (known.shown ~= 'failed' or record.shown == 'failed') then return 'duplicate' end
  if known.shown then count(known.counters, {'failed'}, -1) end
  known.shown, known.counters, known.shadows = record.shown, batch.counters[record.counters], record.shadows
  local fields = record.fields
  for place, field in ipairs(fields) do fields[place] = batch.fields[field] end
  count(known.counters, fields, 1)
  if record.shown ~= 'failed' then count(known.counters, {'latency_ms'}, record.latency) end
  local label = record.feedback and label_of(record.feedback)
  if label then count_feedback(known, label, 1) end
  return 'applied'
end

-- The last feedback counts.
local function plan_feedback(record)
  local result, before = result_of(record.result), label_of(record.feedback)
  if before then count_feedback(result, before, -1) end
  count_feedback(result, record.label, 1)
  labels[record.feedback] = record.label
  return 'applied'
end

local plan, number = {}, {applied = 0, duplicate = 0, malformed = 0}
for index, record in ipairs(records) do
  if record.kind == 'prediction' then
    plan[index] = plan_prediction(record)
  elseif record.kind == 'feedback' then
    plan[index] = plan_feedback(record)
  else
    plan[index] = 'malformed'
  end
  number[plan[index]] = number[plan[index]] + 1
end

local expiries = {}
local function keep(key, expire_at) expiries[key] = math.max(expiries[key] or 0, expire_at) end

local counters = {}                               -- key -> field -> new count
for set, fields in pairs(changes) do
  for expire_at, key in string.gmatch(set, '(%d+) (%S+)') do
    counters[key] = counters[key] or {}
    for field, by in pairs(fields) do counters[key][field] = (counters[key][field] or 0) + by end
    keep(key, tonumber(expire_at))
  end
end
for key, fields in pairs(counters) do
  local get = {'HMGET', key}
  for field in pairs(fields) do get[#get + 1] = field end
  for index, value in ipairs(redis.call(unpack(get))) do
    local field = get[index + 2]
    fields[field] = fields[field] + (tonumber(value or 0) or error(key .. ' ' .. field .. ' is no number'))
  end
end

local views = {}                                  -- key -> ZADD's arguments; and the newest score
local newest = {}
for index, record in ipairs(records) do
  if record.kind == 'prediction' then keep(batch.seen[record.seen], expiry(record.at)) end
  if record.kind == 'prediction' and plan[index] == 'applied' then
    for _, view in ipairs(record.views) do
      local key, member = batch.views[view].key, batch.views[view].member or record.image_id
      if not views[key] then
        redis.call('ZCARD', key)
        views[key] = {'ZADD', key, 'GT'}
      end
      local add = views[key]
      add[#add + 1], add[#add + 2] = record.at, member
      newest[key] = math.max(newest[key] or 0, record.at)
      keep(key, expiry(record.at))
    end
  end
end
redis.call('HLEN', TOTALS)
local revision = (tonumber(redis.call('ZRANGE', CHANGES, -1, -1, 'WITHSCORES')[2]) or 0) + 1

----------------------------------------------------------------------------------------------------------- write

for index, record in ipairs(records) do
  if plan[index] == 'applied' and record.kind == 'prediction' then
    redis.call('HSET', record.result, 'prediction', payloads[index], 'done_at', record.done_at,
      'shown', record.shown, 'counters', batch.counters[record.counters])
    if record.shadows ~= '' then redis.call('HSET', record.result, 'shadows', record.shadows) end
    redis.call('EXPIREAT', record.result, expiry(record.at))
    if batch.channel then redis.call('PUBLISH', batch.channel, record.image_id) end
  elseif plan[index] == 'applied' then
    redis.call('HSET', record.feedback, 'label', record.label, 'feedback', payloads[index])
    redis.call('EXPIREAT', record.feedback, expiry(record.at))
  end
end
for key, asked in pairs(bits) do
  local set = {'BITFIELD', key}
  for _, bit in ipairs(asked) do
    set[#set + 1], set[#set + 2], set[#set + 3], set[#set + 4] = 'SET', 'u1', bit, 1
  end
  redis.call(unpack(set))
end
if revision == 1 then redis.call('ZADD', CHANGES, 0, '-') end -- first to go: while it is there, nothing is missing
for key, fields in pairs(counters) do
  local set, gone = {'HSET', key}, {'HDEL', key}
  for field, value in pairs(fields) do
    if value == 0 then
      gone[#gone + 1] = field
    else
      set[#set + 1], set[#set + 2] = field, value
    end
  end
  if #set > 2 then redis.call(unpack(set)) end
  if #gone > 2 then redis.call(unpack(gone)) end
  redis.call('ZADD', CHANGES, revision, key)
end
redis.call('ZREMRANGEBYRANK', CHANGES, 0, -MOST_CHANGES - 1)
for key, add in pairs(views) do
  redis.call(unpack(add))
  redis.call('ZREMRANGEBYSCORE', key, '-inf', '(' .. string.format('%.0f', newest[key] - batch.retention_ms))
end
for key, expire_at in pairs(expiries) do
  if redis.call('EXPIRETIME', key) < expire_at then redis.call('EXPIREAT', key, expire_at) end
end
if number.duplicate > 0 then redis.call('HINCRBY', TOTALS, 'duplicates', number.duplicate) end
if number.malformed > 0 then
  redis.call('HINCRBY', TOTALS, 'malformed', number.malformed)
  redis.call('HSET', TOTALS, 'malformed_at', batch.malformed_at)
end
redis.call('HSET', OFFSETS, batch.partition, batch.next)
return {'applied', batch.next, number.applied, number.duplicate, number.malformed}
