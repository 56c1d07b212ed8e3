package httpapi

import "github.com/doudi-aid/doudi/shared/fault"

// Faults of the transport itself. Clients depend on the codes.
var (
	ErrNoRoute     = fault.New(fault.NotFound, "not-found", "没有找到您要的内容。", "There is nothing here.")
	ErrMethod      = fault.New(fault.MethodNotAllowed, "method-not-allowed", "不支持这种操作。", "This method is not allowed here.")
	ErrWrongCaller = fault.New(fault.Forbidden, "wrong-caller", "您的账号不能使用这项功能。", "This account may not use this function.")
	ErrQuery       = fault.New(fault.Invalid, "query-not-allowed", "网址中的参数不正确。", "The query of the URL has a parameter that is not allowed or not well formed.")
	ErrQueryToken  = fault.New(fault.Invalid, "token-in-query", "登录凭证不能放在网址里，请重新登录。", "A token in a URL is refused. Treat it as leaked and sign in again.")
	ErrNoKey       = fault.New(fault.Invalid, "idempotency-key-missing", "请求缺少 Idempotency-Key。", "This request needs an Idempotency-Key header; see the documentation of this problem type.")
	ErrBadKey      = fault.New(fault.Invalid, "idempotency-key-invalid", "Idempotency-Key 的格式不正确。", "The Idempotency-Key must be 1 to 128 visible ASCII characters, given once.")
	ErrMediaType   = fault.New(fault.UnsupportedMedia, "not-json", "请求内容必须是 JSON。", "The body must be application/json in UTF-8.")
	// An encoded body has no size that could be known before it is unpacked, so
	// it counts as too large (X079).
	ErrEncoded  = fault.New(fault.TooLarge, "encoded-body", "请不要压缩请求内容。", "Compressed request bodies are refused.")
	ErrTooLarge = fault.New(fault.TooLarge, "body-too-large", "提交的内容太大了。", "The body is too large.")
	ErrBody     = fault.New(fault.Invalid, "body-unreadable", "请求内容没有完整收到，请重试。", "The body did not arrive whole. Please try again.")
	ErrNoBody   = fault.New(fault.Invalid, "body-not-allowed", "这个请求不应带有内容。", "This request takes no body.")
	ErrSyntax   = fault.New(fault.Invalid, "invalid-json", "请求内容不是正确的 JSON。", "The body is not well-formed JSON.")
	ErrDeep     = fault.New(fault.Invalid, "json-too-complex", "请求内容过于复杂。", "The JSON is nested too deeply or has too many values.")
	ErrBusy     = fault.New(fault.Unavailable, "busy", "现在办事的人很多，请稍等几秒再试，您填写的内容不会丢失。", "Too many requests at once. Nothing was done; please try again shortly.").After(2)
	ErrLate     = fault.New(fault.Unavailable, "no-answer-in-time", "系统没有及时答复，请用同一个 Idempotency-Key 再提交一次。", "There was no answer in time; send it again with the same Idempotency-Key.").After(2)
	ErrSlowDown = fault.New(fault.TooMany, "slow-down", "操作太频繁，请稍后再试。", "Too many requests. Please wait.")
	ErrProbing  = fault.New(fault.TooMany, "too-many-misses", "查询次数过多，请稍后再试。", "Too many requests for things that are not there. Please wait.")
)
