package discovery

// Order is the sequence in which to go to spots, as indexes, beginning near the
// first of them: the nearest next, then improved while exchanging two stretches
// shortens the way. Those without a spot come last, in the order given. Distances
// are as the crow flies, which is enough for one village on foot.
func Order(spots []Spot) []int {
	var known, unknown []int
	for i, s := range spots {
		if s == (Spot{}) {
			unknown = append(unknown, i)
		} else {
			known = append(known, i)
		}
	}
	way := nearest(spots, known)
	improve(spots, way)
	return append(way, unknown...)
}

func nearest(spots []Spot, left []int) []int {
	if len(left) == 0 {
		return nil
	}
	way, rest := []int{left[0]}, append([]int(nil), left[1:]...)
	for len(rest) > 0 {
		at, best := spots[way[len(way)-1]], 0
		for i := range rest {
			if apart(at, spots[rest[i]]) < apart(at, spots[rest[best]]) {
				best = i
			}
		}
		way = append(way, rest[best])
		rest = append(rest[:best], rest[best+1:]...)
	}
	return way
}

// improve turns a stretch round wherever that shortens the way (2-opt). Each turn
// shortens it, so it ends; rounds bounds it for lists longer than a day's.
func improve(spots []Spot, way []int) {
	for range 50 {
		better := false
		for i := 1; i < len(way)-1; i++ {
			for j := i + 1; j < len(way); j++ {
				before, after := apart(spots[way[i-1]], spots[way[i]]), apart(spots[way[i-1]], spots[way[j]])
				if j+1 < len(way) {
					before += apart(spots[way[j]], spots[way[j+1]])
					after += apart(spots[way[i]], spots[way[j+1]])
				}
				if after < before {
					for a, b := i, j; a < b; a, b = a+1, b-1 {
						way[a], way[b] = way[b], way[a]
					}
					better = true
				}
			}
		}
		if !better {
			return
		}
	}
}

// apart is the distance in units of a spot, in whole numbers: the east-west part is
// shortened as at 31° north, which is near enough for ordering doors.
func apart(a, b Spot) int64 {
	x, y := int64(a.Lon-b.Lon)*857/1000, int64(a.Lat-b.Lat)
	return root(x*x + y*y)
}

func root(n int64) int64 {
	if n < 2 {
		return n
	}
	r := n
	for next := (r + 1) / 2; next < r; next = (r + n/r) / 2 {
		r = next
	}
	return r
}
