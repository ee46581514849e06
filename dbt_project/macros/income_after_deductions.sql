{#- What of an income, or of a sum of incomes, counts for pay: net less its deductions. of: the relation's name and a dot, in a join. -#}
{% macro income_after_deductions(of='') -%}
    cast(
        {{ of }}net_amount - {{ of }}vat_amount - {{ of }}protection_fund_amount - {{ of }}funding_cost_amount
        as decimal(18, 2)
    )
{%- endmacro %}
