# Prints the name on standard input that fewest edits turn into `want`, if it is near enough to be a slip.
function distance(a, b, limit,    i, j, n, m, cost, best, above, left) {
    n = length(a); m = length(b)
    if (n - m > limit || m - n > limit) return limit + 1
    for (j = 0; j <= m; j++) row[j] = j
    for (i = 1; i <= n; i++) {
        left = row[0]; row[0] = i; best = i
        for (j = 1; j <= m; j++) {
            above = row[j]
            cost = left + (substr(a, i, 1) != substr(b, j, 1))
            if (above + 1 < cost) cost = above + 1
            if (row[j - 1] + 1 < cost) cost = row[j - 1] + 1
            row[j] = cost; left = above
            if (cost < best) best = cost
        }
        if (best > limit) return limit + 1
    }
    return row[m]
}
BEGIN { limit = length(want) < 4 ? 1 : length(want) < 8 ? 2 : 3 }
{
    # Full distances are for names that share a start or an end with it; all others are too far to be a slip.
    if (substr($0, 1, 2) != substr(want, 1, 2) && substr($0, 2, 2) != substr(want, 2, 2)) next
    d = distance(want, $0, limit)
    if (d <= limit) { limit = d - 1; nearest = $0; if (d <= 1) exit }
}
END { if (nearest != "") print nearest }
