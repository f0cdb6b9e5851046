-- Verifies an ACS3-HMAC-SHA256 signature as akgate does: signed time, MAC over the canonical request, nonce once, and
-- whether the key has leaked. libcrypto by FFI, buffers made once.
local ffi = require "ffi"
ffi.cdef [[
unsigned char *SHA256(const unsigned char *d, size_t n, unsigned char *md);
const void *EVP_sha256(void);
unsigned char *HMAC(const void *evp_md, const void *key, int key_len, const unsigned char *d, size_t n,
                    unsigned char *md, unsigned int *md_len);
int CRYPTO_memcmp(const void *a, const void *b, size_t len);
]]
local crypto = ffi.load("crypto.so.3")
local digest, length = ffi.new("unsigned char[32]"), ffi.new("unsigned int[1]")
local sha256 = crypto.EVP_sha256()
local secrets = { ["{key}"] = "{secret}" }
local byte, concat, sort, format = string.byte, table.concat, table.sort, string.format

local hex_of = {}
for n = 0, 255 do
    hex_of[n] = format("%02x", n)
end

local function hex()
    local out = {}
    for n = 0, 31 do
        out[n + 1] = hex_of[digest[n]]
    end
    return concat(out)
end

local function hash(text)
    crypto.SHA256(text, #text, digest)
    return hex()
end

local function hmac(key, text)
    crypto.HMAC(sha256, key, #key, text, #text, digest, length)
    return hex()
end

local function refuse(code)
    ngx.status = 403
    ngx.header.content_type = "application/json"
    ngx.print('{"Code":"' .. code .. '"}')
    return ngx.exit(403)
end

local M = {}

function M.check()
    local headers = ngx.req.get_headers(0)
    local credential, names, signature =
        string.match(headers.authorization or "", "^ACS3%-HMAC%-SHA256 Credential=([^,]+),SignedHeaders=([^,]+),Signature=(%x+)$")
    local secret = credential and secrets[credential]
    if not secret then
        return refuse("InvalidAccessKeyId.NotFound")
    end
    local date = headers["x-acs-date"] or ""
    local y, mo, d, h, mi, s = string.match(date, "^(%d+)-(%d+)-(%d+)T(%d+):(%d+):(%d+)Z$")
    if not y then
        return refuse("InvalidTimeStamp.Format")
    end
    local signed = os.time { year = y, month = mo, day = d, hour = h, min = mi, sec = s, isdst = false }
    if math.abs(signed - os.time(os.date("!*t"))) > 900 then
        return refuse("InvalidTimeStamp.Expired")
    end
    ngx.req.read_body()
    local body = ngx.req.get_body_data() or ""
    local body_hash = hash(body)
    if body_hash ~= headers["x-acs-content-sha256"] then
        return refuse("SignatureDoesNotMatch")
    end
    local pairs_of = {}
    for pair in string.gmatch(ngx.var.args or "", "[^&]+") do
        pairs_of[#pairs_of + 1] = pair
    end
    sort(pairs_of)
    local lines = {}
    for name in string.gmatch(names, "[^;]+") do
        local value = headers[name]
        if type(value) ~= "string" then
            return refuse("InvalidParameter")
        end
        lines[#lines + 1] = name .. ":" .. value .. "\n"
    end
    local canonical = concat({ ngx.var.request_method, ngx.var.uri, concat(pairs_of, "&"), concat(lines), names, body_hash }, "\n")
    local expected = hmac(secret, "ACS3-HMAC-SHA256\n" .. hash(canonical))
    if #signature ~= 64 or crypto.CRYPTO_memcmp(expected, signature, 64) ~= 0 then
        return refuse("SignatureDoesNotMatch")
    end
    local fresh = ngx.shared.nonces:add(credential .. "/" .. headers["x-acs-signature-nonce"], true, 1860)
    if not fresh then
        return refuse("SignatureNonceUsed")
    end
    if ngx.shared.leaked:get(credential) and not string.find(headers["x-acs-action"], "^[LG][ie][st]") then
        return refuse("Forbidden")
    end
end

return M
