{#-
    The share of a fund's management fee that is passed on to whoever sold it, for a row with `accrual_date`, `customer_kind` and
    `product_kind`: the first row of `trailing_fee_ratios` that fits, the newest begun first; 0 where none does.
-#}
{% macro trailing_fee_ratio() -%}
    case
        {%- for rule in var('trailing_fee_ratios') | sort(attribute='from', reverse=true) %}
        when
            accrual_date >= date '{{ rule["from"] }}'
            and product_kind in ('{{ rule["product_kinds"] | join("', '") }}')
            {%- if rule['customer_kinds'] is defined %}
            and customer_kind in ('{{ rule["customer_kinds"] | join("', '") }}')
            {%- endif %}
            then cast({{ rule['ratio'] }} as decimal(4, 4))
        {%- endfor %}
        else cast(0 as decimal(4, 4))
    end
{%- endmacro %}
