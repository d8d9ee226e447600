package jobs

import (
	"encoding/base64"
	"maps"
	"slices"
	"strconv"

	"github.com/bargeml/barge/internal/sandbox/wire"
)

// pageOf is the part of a list that was asked for. A token names the element beside which the part begins, so that
// what comes in meanwhile moves nothing.
type pageOf struct {
	limit, offset int64
	token         string
}

// newestFirst are the ids of what keep lets through.
func newestFirst[T any](all map[int64]T, keep func(T) bool) []int64 {
	var ids []int64
	for _, id := range slices.Sorted(maps.Keys(all)) {
		if keep(all[id]) {
			ids = append(ids, id)
		}
	}
	slices.Reverse(ids)
	return ids
}

// cut returns the part of ids, which fall, and the tokens of the parts after and before it; empty at the ends.
func (p pageOf) cut(ids []int64) (part []int64, next, previous string, err error) {
	from := min(max(int(p.offset), 0), len(ids))
	limit := int(min(p.limit, int64(len(ids))))
	if p.token != "" {
		direction, id, err := readToken(p.token)
		if err != nil {
			return nil, "", "", err
		}
		older := slices.IndexFunc(ids, func(other int64) bool { return other < id })
		if older < 0 {
			older = len(ids)
		}
		switch direction {
		case 'n':
			from = older
		case 'p':
			for from = older; from > 0 && ids[from-1] <= id; {
				from--
			}
			from = max(from-limit, 0)
		}
	}
	to := min(from+limit, len(ids))
	part = ids[from:to]
	if to < len(ids) && len(part) > 0 {
		next = writeToken('n', part[len(part)-1])
	}
	if from > 0 && len(part) > 0 {
		previous = writeToken('p', part[0])
	}
	return part, next, previous, nil
}

func writeToken(direction byte, n int64) string {
	return base64.RawURLEncoding.EncodeToString(strconv.AppendInt([]byte{direction}, n, 10))
}

func readToken(token string) (direction byte, n int64, err error) {
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err == nil && len(b) > 1 {
		n, err = strconv.ParseInt(string(b[1:]), 10, 64)
	}
	if err != nil || len(b) < 2 || n < 0 {
		return 0, 0, wire.Invalid("Invalid page token: %s", token)
	}
	return b[0], n, nil
}

// The arrays inside one job or run are paged by position, and all alike.

func partToken(from int) string { return writeToken('a', int64(from)) }

func partStart(api, token string) (int, error) {
	if api != "2.2" || token == "" {
		return 0, nil
	}
	kind, from, err := readToken(token)
	if err == nil && (kind != 'a' || from > 1<<20) {
		err = wire.Invalid("Invalid page token: %s", token)
	}
	return int(from), err
}

// cut leaves of an array what one answer holds, and tells whether there is more.
func cut[T any](api string, array *[]T, from int) bool {
	if api != "2.2" {
		return false
	}
	all := *array
	from = min(from, len(all))
	to := min(from+longestPart, len(all))
	*array = all[from:to]
	return to < len(all)
}
