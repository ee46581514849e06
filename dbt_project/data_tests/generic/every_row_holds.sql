{#-
    The key identifies a row (no two rows share it, no part of it is null), and named rules are true on every row (null is
    a fault). One scan for all of them; the answer is the broken rules and how many rows break them, never a customer's
    values. `count(distinct a, b)` leaves out rows with a null, so both faults of a key show as the same difference.
-#}
{% test every_row_holds(model, key, rules={}) %}
with broken_rows_counted as (
    select
        stack(
            {{ rules | length + 1 }},
            'the key identifies a row', count(*) - count(distinct {{ key | join(', ') }})
            {%- for name, condition in rules.items() %},
            '{{ name }}', count_if(not coalesce({{ condition }}, false))
            {%- endfor %}
        ) as (broken_rule, row_count)
    from {{ model }}
)

select
    broken_rule,
    row_count
from broken_rows_counted
where row_count > 0
{% endtest %}
