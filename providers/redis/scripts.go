package redis

import (
	"crypto/sha1" //nolint:gosec // it is how the server names scripts
	"encoding/hex"

	"github.com/redis/rueidis"
)

// A script is a text that the server executes as a whole, on one key.
type script struct{ text, sum string }

func newScript(text string) script {
	sum := sha1.Sum([]byte(text)) //nolint:gosec // likewise
	return script{text: text, sum: hex.EncodeToString(sum[:])}
}

// allowFull lets a script run on a server that has no room left, from Redis 7 on.
const allowFull = "#!lua flags=allow-oom\n"

// present leaves in id the identifier of the record that is alive at ARGV[1], or false.
const present = `
local head = redis.call('GETRANGE', KEYS[1], 0, 15)
local id = false
if #head > 0 then
	if #head < 16 or string.sub(head, 1, 2) ~= 'K1' then
		return redis.error_reply('FOREIGN not a record of keepsake')
	end
	local a, b, c, d, e, f = string.byte(head, 3, 8)
	local deadline = ((((a * 256 + b) * 256 + c) * 256 + d) * 256 + e) * 256 + f
	if deadline == 0 or deadline > tonumber(ARGV[1]) then
		id = string.sub(head, 9, 16)
	end
end
`

const (
	// ARGV: now, the identifier that must be there or nothing, the value or nothing, its
	// life. The answer is 1, the value that is there instead, or nil.
	swapText = present + `
if id ~= (#ARGV[2] > 0 and ARGV[2]) then
	return id and redis.call('GET', KEYS[1])
end
if #ARGV[3] == 0 then
	redis.call('DEL', KEYS[1])
elseif ARGV[4] == '0' then
	redis.call('SET', KEYS[1], ARGV[3])
else
	redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
end
return 1
`
	// ARGV: now, the identifier that must be there, the envelope, the life.
	touchText = present + `
if id ~= ARGV[2] then
	return 0
end
redis.call('SETRANGE', KEYS[1], 0, ARGV[3])
if ARGV[4] == '0' then
	redis.call('PERSIST', KEYS[1])
else
	redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
return 1
`
	// ARGV: the least number. The answer is the new generation.
	raiseText = `
local number = math.max(tonumber(redis.call('GET', KEYS[1]) or '0') + 1, tonumber(ARGV[1]))
number = string.format('%.0f', number)
redis.call('SET', KEYS[1], number)
return number
`
	// ARGV: the number that the generation has at least.
	restoreText = `
if tonumber(redis.call('GET', KEYS[1]) or '0') < tonumber(ARGV[1]) then
	redis.call('SET', KEYS[1], ARGV[1])
end
return redis.call('GET', KEYS[1])
`
	// ARGV: the owner.
	unlockText = `
if redis.call('GET', KEYS[1]) == ARGV[1] then
	return redis.call('DEL', KEYS[1])
end
return 0
`
)

var (
	swapScript      = newScript(swapText)
	touchScript     = newScript(touchText)
	touchFullScript = newScript(allowFull + touchText)
	raiseScript     = newScript(raiseText)
	restoreScript   = newScript(restoreText)
	unlockScript    = newScript(unlockText)
)

// bySum is the command that executes a script which the server has.
func (s script) bySum(b rueidis.Builder, key string, args ...string) rueidis.Completed {
	return b.Evalsha().Sha1(s.sum).Numkeys(1).Key(key).Arg(args...).Build()
}

// byText is the command that executes a script which the server may not have.
func (s script) byText(b rueidis.Builder, key string, args ...string) rueidis.Completed {
	return b.Eval().Script(s.text).Numkeys(1).Key(key).Arg(args...).Build()
}
