{#-
    What one deduction takes from `net_amount` of an income of kind `income_kind` on `business_date`, to the cent: by the
    rate of `income_deductions` in force that day; 0 where none is. A rate that is `within` is in the amount
    already, as VAT is: what it takes is the difference to the amount without it.
-#}
{% macro deducted_amount(deduction) -%}
    cast(
        case
            {%- for rule in var('income_deductions') | selectattr('deduction', 'equalto', deduction) | sort(attribute='from', reverse=true) %}
            when
                business_date >= date '{{ rule["from"] }}'
                {%- if rule['income_kinds'] is defined %}
                and income_kind in ('{{ rule["income_kinds"] | join("', '") }}')
                {%- endif %}
                {%- if rule['within'] %}
                then net_amount - round(net_amount / cast(1 + {{ rule['rate'] }} as decimal(6, 4)), 2)
                {%- else %}
                then round(net_amount * {{ rule['rate'] }}, 2)
                {%- endif %}
            {%- endfor %}
            else 0
        end as decimal(18, 2)
    )
{%- endmacro %}
