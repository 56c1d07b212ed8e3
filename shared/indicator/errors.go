package indicator

import "github.com/doudi-aid/doudi/shared/fault"

// What is wrong with a question.
var (
	ErrDays = fault.New(fault.Invalid, "indicator-days", "起止日期不对：写成 2026-11-28 的样子，先早后晚，最多看 731 天，按日最多 366 天。",
		"The days are not right: write them as 2026-11-28, earlier first, 731 at most and 366 by day.")
	ErrProgramme = fault.New(fault.Invalid, "indicator-programme", "没有这个救助项目。", "No such programme.")
	ErrBy        = fault.New(fault.Invalid, "indicator-by", "by 可以是 division、day、officer 或 programme。", "by is division, day, officer or programme.")
	ErrNone      = fault.New(fault.NotFound, "indicator-none", "没有这个指标。", "No such indicator.")
	ErrCursor    = fault.New(fault.Invalid, "indicator-page", "翻页标记不对，请从第一页重新开始。", "Not a page mark; begin with the first page.")
)
