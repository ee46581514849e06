{#- What of an income, or of a sum of incomes, counts for pay: net less its deductions. -#}
{% macro income_after_deductions() -%}
    cast(net_amount - vat_amount - protection_fund_amount - funding_cost_amount as decimal(18, 2))
{%- endmacro %}
