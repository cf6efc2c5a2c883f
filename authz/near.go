package authz

import "strings"

// Near is the candidate that a name was most likely meant to be, in any letter
// case; "" if there is none.
func Near(name string, candidates []string) string {
	best, distance := "", 3
	for _, c := range candidates {
		d := edits(strings.ToLower(name), strings.ToLower(c), distance)
		if d < distance && d < max(1, len(c)/2) {
			best, distance = c, d
		}
	}
	return best
}

// edits is how many letters must be added, removed or replaced to make b of a,
// or most if it is no less (Levenshtein).
func edits(a, b string, most int) int {
	if len(a) > len(b)+most || len(b) > len(a)+most {
		return most
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return min(row[len(b)], most)
}
