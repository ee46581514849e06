{#- What every income is told by, wherever it is added up: additive, split over employees to the cent. -#}
{% macro income_measures() -%}
    {{ return([
        'turnover_amount', 'gross_amount', 'net_amount', 'vat_amount', 'protection_fund_amount', 'funding_cost_amount'
    ]) }}
{%- endmacro %}
