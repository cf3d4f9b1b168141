"""HTTP caching as pure functions: RFC 9111, 9213, 5861, 8246, 9875 and what RFC 9110 says of validators and ranges.

Nothing here reads a clock, a file or a socket: `now_s` and times of messages are seconds since 1970 and come in as numbers.
`request` is anything with `method`, `uri` (effective, normalised) and `fields`. What the edge calls, in the order of a request:

    variants.select(request.fields, stored)            -> Stored | None: the variant for this request
    reuse.judge(request, stored, now_s, override)      -> Judgement: use, why, ttl_s, age_s, until_s, on_error, drop_fields
        use: "fresh" | "stale" (by max-stale) | "stale-while-revalidate" | "validate" | "pass" (request no-store);
        .serves: the first three. Cached answers without a stored response: none, so ask reuse.only_if_cached(request) -> 504
    answering.answer(request, stored)                  -> Selected(status, parts) | None: the client's preconditions and ranges;
        status 0: send the stored status, whole. None: bytes are missing (fwd=partial)
    partial.gaps(stored.parts, start, length), partial.request_for(stored, gaps) -> Range and If-Range for the origin
    validation.asked_about(selected, stored)           -> asked: the stored responses to validate
    validation.conditions(asked)                       -> If-None-Match, If-Modified-Since for the origin
    validation.chosen_by_304(asked, answer)            -> tuple[Stored, ...]: all to freshen, the first to answer with;
        empty: the 304 speaks of none, so ask again without conditions
    validation.refreshed(stored, answer, request_fields, requested_s, received_s) -> Stored
    validation.by_head(stored, status, answer, requested_s, received_s)           -> Stored | "invalidate" | None
    storing.storable(request, status, fields, received_s, override)               -> Storable(store, why)
    storing.kept_fields(status, fields, received_s), storing.stored_status(status), variants.vary_values(request, fields),
    partial.span_of(fields)                            -> what goes into a new Stored
    partial.may_combine(stored, status, fields); partial.combined(stored, fields, requested_s, received_s) -> Stored
    invalidation.targets(method, uri, status, fields), invalidation.groups(method, fields), invalidation.member_of(fields)
    lifetime.lifetime_s(stored, override), age.current_age_s(stored, now_s), override.Override

In nodes/http: conditionals.select (an origin's preconditions), ranges.byte_ranges, multipart.plan (multipart/byteranges),
etags, dates, structured (RFC 9651).
"""
