{{ config(materialized='ephemeral') }}

with relations as (
    select * from {{ ref('int_relations_in_force') }}
),

with_view_sum as (
    select
        *,
        sum(pay_ratio) over relation_view as ratio_sum,
        count(*) over relation_view as staff_count,
        row_number() over (
            partition by business_line, account_id, business_date, relation_kind order by employee_id
        ) as staff_number
    from relations
    window relation_view as (partition by business_line, account_id, business_date, relation_kind)
),

in_whole_parts as (
    select
        *,
        cast(
            floor(
                case
                    when ratio_sum > 0 then pay_ratio * 100000000 / ratio_sum
                    else cast(100000000 as decimal(20, 10)) / staff_count
                end
            ) * 0.00000001 as decimal(12, 8)
        ) as whole_ratio
    from with_view_sum
),

-- what the last decimal leaves goes to the first of them: where somebody has the relation, nothing is unassigned
final as (
    select
        business_line,
        account_id,
        business_date,
        employee_id,
        relation_kind as relation_view,
        cast(
            whole_ratio
            + case
                when staff_number = 1
                    then 1 - sum(whole_ratio) over (
                        partition by business_line, account_id, business_date, relation_kind
                    )
                else 0
            end as decimal(12, 8)
        ) as pay_ratio
    from in_whole_parts
)

select * from final
