{#- What a unit is asked to reach in a month: income after deductions, money brought in, customers opened. -#}
{% macro target_measures() -%}
    {{ return(['target_income_amount', 'target_inflow_amount', 'target_new_customer_count']) }}
{%- endmacro %}
