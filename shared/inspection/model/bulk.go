package model

// bulk: many rows by one hand in many places on one day, as when 45 pasted rows
// went into 24 townships (喜德).
var bulk = Kind{Name: "bulk", Title: Words{"批量粘贴录入", "Rows pasted in bulk"},
	Figures: []Bounds{{"rows", 5, 1000, "rows"}, {"townships", 2, 100, "townships"}},
	run: func(m Model, f Facts) []Hit {
		if !f.Filing.ForOthers || f.Filing.Rows < m.figure("rows") || f.Filing.Townships < m.figure("townships") {
			return nil
		}
		return []Hit{hit("filing", "同一账号当天为他人提交了%d份申请，分布在%d个乡镇（街道）。请逐人见面或打电话核实后再发放。",
			"The same account filed %d applications for others in %d townships on one day. See or call each person before paying.", f.Filing.Rows, f.Filing.Townships)}
	}}
